"""The clients' answers by phase, and the downtime that they saw."""

from drill.client import Answer
from drill.phases import longest_downtime, moment, spoken_service


def answer(at: float, ok: bool, seconds: float = 0.5, operation: str = "read") -> Answer:
    region, error = ("eu-west-1", None) if ok else (None, "timed out")
    return Answer(at, ok, region, None, error, seconds, operation)


def test_without_a_failed_request_there_is_no_downtime() -> None:
    assert longest_downtime([answer(1, True), answer(2, True)]) is None
    assert longest_downtime([]) is None


def test_downtime_lasts_from_the_first_failed_request_to_the_end_of_the_next_good_answer() -> None:
    assert longest_downtime([answer(1, True), answer(2, False), answer(5, False), answer(7, True)]) == 5.5


def test_of_several_downtimes_the_longest_counts() -> None:
    short = [answer(1, False), answer(2, True)]
    assert (
        longest_downtime([*short, answer(3, False), answer(9, True), answer(10, False), answer(11, True)])
        == 6.5
    )


def test_a_downtime_that_has_not_ended_counts_up_to_the_last_answer() -> None:
    assert longest_downtime([answer(1, False), answer(2, False)]) == 1.5


def test_who_cannot_write_is_down_whatever_he_reads_meanwhile() -> None:
    both = [answer(t, t % 2 == 0, operation="read" if t % 2 == 0 else "write") for t in range(1, 9)]
    assert longest_downtime([*both, answer(9, True, operation="write")]) == 8.5


def test_two_equal_answers_say_who_serves_and_one_does_not() -> None:
    assert spoken_service([answer(1, True)]) is None
    assert spoken_service([answer(1, True), answer(2, True)]) == "served by eu-west-1"
    assert spoken_service([answer(1, True), answer(2, True), answer(3, False)]) is None
    assert spoken_service([answer(1, True), answer(2, False), answer(3, False)]) == "requests fail"


def test_failing_writes_and_good_reads_are_said_once_as_such() -> None:
    mixed = [answer(t, t % 2 == 0, operation="read" if t % 2 == 0 else "write") for t in range(1, 5)]
    assert spoken_service(mixed) == "reads served by eu-west-1, writes fail"
    assert spoken_service(mixed[1:]) is None


def test_a_request_under_way_when_the_region_died_failed_in_the_outage() -> None:
    assert moment(answer(9.5, False, seconds=2.0)) == 11.5
    assert moment(answer(9.5, True, seconds=2.0)) == 9.5
