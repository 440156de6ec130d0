"""The lines of the comparison."""

from dataclasses import dataclass, field


@dataclass
class Row:
    """One line of the comparison: how many there should be and are right, and what is wrong, in words."""

    what: str
    in_shop: int = 0
    right: int = 0
    wrong: list[str] = field(default_factory=list)

    def check(self, name: str, problem: str) -> None:
        """Count one thing; `problem` is "" where it is right."""
        self.in_shop += 1
        if problem:
            self.wrong.append(f"{name}: {problem}")
        else:
            self.right += 1
