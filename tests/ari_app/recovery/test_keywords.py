"""Words of refusal are obeyed however they are written; ordinary talk about houses is not mistaken for them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.recovery.keywords import cancels_something, keyword, normalise, word_of
from ari_app.recovery.values import Consent, ConsentState, Keyword

FCC_2025 = ("stop", "quit", "end", "revoke", "opt out", "cancel", "unsubscribe")
"""47 CFR 64.1200(a)(10), in force since April 2025: each of them is a revocation by itself."""
CARRIERS = ("stopall", "stop all", "optout", "opt-out", "remove", "arret", "arrêt", "alto", "parar", "stop2end")
"""Words that carriers and the other languages of our callers add."""


@pytest.mark.parametrize("word", [*FCC_2025, *CARRIERS])
@pytest.mark.parametrize(
    "written",
    ["{}", "{}.", "  {} \n", "{}!!!", "“{}”", "{} please", "please {}", "{} now", "{}, thanks", "{} 🛑", "ok {}"],
)
def test_every_word_of_refusal_is_obeyed_however_it_is_written(word: str, written: str) -> None:
    for spelling in (word, word.upper(), word.title()):
        assert keyword(written.format(spelling)) is Keyword.STOP


@pytest.mark.parametrize(
    "text",
    [
        "Stop texting me",
        "don't text me anymore",
        "Don’t text me anymore",
        "do not call this number again",
        "Dont ever contact me again",
        "never call me again",
        "wrong number, lose it",
        "Lose my number",
        "STIP",
        "stpo",
        "S T O P",
        "s.t.o.p",
        "ＳＴＯＰ",
        "please make it stop",
        "Take me off your list",
        "take my number off this list",
        "Remove me from your list!",
        "I want to be removed",
        "I revoke my consent",
        "Revoke consent",
        "I would like to opt out of this",
        "opting out",
        "please unsubscribe me",
        "cancel messages",
        "end texts",
        "No more texts please",
        "Leave us alone",
        "Not interested, thanks",
        "I am no longer interested",
        "quit calling me",
        "cease and desist",
        "We found a house. Stop.",
        "why don't you stop calling",
        "no me llamen mas",
        "No me llames más",
        "No quiero más mensajes",
        "Please do not send me any more messages",
        "Don't send me any more texts",
        "do not send me anything",
        "don't send",
        "I don't want to receive any more texts",
        "I do not want you or anyone from your company to contact me",
        "don't you ever in your life text me again",
        "I do not want to be contacted",
        "I do not consent to receiving text messages",
        "I never asked for these texts",
        "I don't need a call back",
        "dont txt me",
        "Don't reach out to me again",
        "Please do not disturb",
        "I would rather not be contacted",
        "I asked you not to call",
        "if you don't stop calling me I will sue",
        "STOP here",
        "Please stop here",
        "Stop at once",
        "STOP for good",
        "You need to stop for good",
        "Stop for real",
        "stop on my phone",
        "take my name off your list",
        "Remove from list",
        "Remove from your list please",
        "remove my name",
        "delete my info",
        "Get me off this list",
        "Dont want to be on this list",
        "no texts",
        "No text",
        "No calls please",
        "No calls or texts",
        "I said no calls",
        "No texts to this number",
        "no contact",
        "cease all communication",
        "Unsub",
        "unsub me",
        "dejen de llamarme",
        "no quiero que me llamen",
        "no me molesten",
    ],
)
def test_whatever_a_reasonable_person_reads_as_no_counts_as_stop(text: str) -> None:
    assert keyword(text) is Keyword.STOP


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "👍",
        "Buying",
        "I'd like to buy, please",
        "Can I stop by tomorrow at 5?",
        "I'll stop in on Saturday",
        "It is near the bus stop",
        "the house at the stop sign",
        "Is there a one stop shop?",
        "Don't stop",
        "Can you take me to see it?",
        "Take my number: 305 555 0123",
        "I never got a call back",
        "I never received your text",
        "I don't have your contact",
        "Please don't forget to call me",
        "Don't hesitate to call",
        "Why don't you call me",
        "I don't know who to call",
        "I don't understand your message",
        "I'm not interested in buying, I want to sell",
        "Is this the end unit?",
        "Weekend is better",
        "Please cancel my showing on Friday",
        "How do I cancel a listing agreement?",
        "Can we start at 350?",
        "I need help with a listing",
        "more info on 12 Ocean Drive",
        "Yes",
        "No",
        "when does the listing end",
        "We opted for the condo",
        "nonstop party next door?",
        "can you stop by at 5",
        "Stop by anytime",
        "stop sign",
        "We can stop here first",
        "Could we stop for coffee at once we are there?",
        "Does the bus stop here?",
        "I can't stop thinking about that house",
        "I have no calls from you",
        "no text yet from the bank",
        "still no call",
        "Why no text back?",
        "no one called me",
        "No problem, text me the address",
        "there was no message",
        "You never returned my call",
        "You never even called me",
        "You never reached out to me",
        "I never met the agent who called me",
        "I don't want to miss your call",
        "Don't wait to call me",
        "Don't be afraid to call",
        "Don't hesitate to reach out",
        "I don't want to buy but please call me",
        "I do not live there anymore but you can call me",
        "I do not speak English please text me in Spanish",
        "I don't drive so I need you to call",
        "Don't let it go without calling me first",
        "If you don't call me by 5 I will go elsewhere",
        "I don't want to bother you but is the house available",
        "I don't want to write an offer yet",
        "Please don't send the contract yet",
        "I don't know where to send it",
        "Do not disturb the tenants",
        "I don't want to be on the wait list",
        "Is the house off the list?",
        "Please remove this house from my list",
        "take my name off the deed",
        "no quiero perder su llamada",
    ],
)
def test_ordinary_talk_is_ordinary_talk(text: str) -> None:
    assert keyword(text) is Keyword.NONE


@pytest.mark.parametrize("text", ["START", "start", "Unstop.", "resume", "Opt in", "start please", "RESUME TEXTS"])
def test_start_words_allow_texts_again(text: str) -> None:
    assert keyword(text) is Keyword.START


STOPPED = Consent(ConsentState.OPTED_OUT, "sms:stop")


@pytest.mark.parametrize("text", ["YES", "yes", "Yes!", "yes please", "ok yes", "YES, text me"])
def test_yes_after_a_stop_by_text_allows_texts_again_and_is_an_answer_like_any_other_before(text: str) -> None:
    assert word_of(text, STOPPED) is Keyword.START
    for said in (Consent(), Consent(ConsentState.OPTED_IN, "sms:start"), Consent(ConsentState.OPTED_OUT, "key:9")):
        assert word_of(text, said) is Keyword.NONE


@pytest.mark.parametrize("text", ["no", "yes, I am buying", "yesterday", "", "ok"])
def test_what_is_no_clear_yes_takes_no_stop_back(text: str) -> None:
    assert word_of(text, STOPPED) is Keyword.NONE
    assert word_of(f"{text} STOP", STOPPED) is Keyword.STOP


@pytest.mark.parametrize("text", ["CANCEL my showing", "cancel the tour on Friday", "Cancel: I will call you"])
def test_cancel_with_something_behind_it_is_a_stop_first_and_for_a_person_to_read(text: str) -> None:
    assert keyword(text) is Keyword.STOP
    assert cancels_something(text)


@pytest.mark.parametrize("text", ["CANCEL", "cancel, please", "stop", "Please cancel my showing", "cancelled it"])
def test_other_texts_cancel_nothing(text: str) -> None:
    assert not cancels_something(text)


@pytest.mark.parametrize("text", ["HELP", "help!", "Info", "help me please", "AYUDA", "aide"])
def test_help_words_ask_who_we_are(text: str) -> None:
    assert keyword(text) is Keyword.HELP


@pytest.mark.parametrize("text", ["help, stop", "stop help", "start? no: stop"])
def test_stop_is_heard_before_anything_else_in_the_text(text: str) -> None:
    assert keyword(text) is Keyword.STOP


def test_normalising_keeps_letters_and_digits_only() -> None:
    assert normalise("  Opt-Out!! ") == "opt out"
    assert normalise("ARRÊT") == "arret"
    assert normalise("don’t") == "dont"
    assert normalise("🛑") == ""


@given(st.text(max_size=200))
def test_no_text_is_too_strange_to_be_read(text: str) -> None:
    assert keyword(text) in Keyword


@given(st.text(max_size=40), st.sampled_from(["STOP", "UNSUBSCRIBE", "opt out"]))
def test_a_clause_of_its_own_that_says_stop_is_found_behind_any_text(before: str, word: str) -> None:
    assert keyword(f"{before}\n{word}") is Keyword.STOP
