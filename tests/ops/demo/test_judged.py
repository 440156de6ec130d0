"""What resolve makes of the demo's lives is right to the demo's judge, and what is taken away from it is missed."""

import pytest

from tests.ops.demo.judged import JudgedLife, Weather

FAIR = Weather()
FOUL = Weather(late_ms=3000, page_ms=2500, history_late=True)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("weather", [FAIR, FOUL], ids=["fair", "foul"])
def test_a_life_ends_without_a_difference(seed: int, weather: Weather):
    assert JudgedLife(seed, weather).live().differences() == []


def test_a_command_that_never_came_is_a_difference():
    life = JudgedLife(3, FAIR).live()
    lost = next(n for n, (_, command) in enumerate(life.line.commands) if b'"purchase"' in bytes(command.data))
    del life.line.commands[lost]
    assert [difference for difference in life.differences() if difference.startswith("orders: purchase")]
