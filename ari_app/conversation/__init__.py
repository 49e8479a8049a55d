"""The pure dialogue: what is asked, what an answer means, what is said next. It knows no audio, no engine and no time."""
