"""One spoken conversation over a stream of audio. Knows audio and turns; knows nothing of leads or of ARI."""
