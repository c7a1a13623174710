"""given / when / then for pure deciders.

    given = Story(decide, evolve, initial=None).given

    def test_a_frozen_dossier_holds_a_new_entry():  # R30
        given(opened(LI_HUA), frozen(LI_HUA)).when(record(LI_HUA)).emits(change_held(LI_HUA))

``decide(state, command)`` gives events or a ``Rejection``; ``evolve(state, event)`` the next state.
Whole values are compared, and each decision is also folded: what was decided must be foldable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from shared.messages import Command, Event, Rejection

S = TypeVar("S")


@dataclass(frozen=True)
class Story(Generic[S]):
    """A decider and the state in which every story begins."""

    decide: Callable[[S, Any], Iterable[Event] | Rejection]
    evolve: Callable[[S, Any], S]
    initial: S

    def given(self, *events: Event) -> Given[S]:
        """What had happened before, folded in order."""
        state = self.initial
        for event in events:
            state = self.evolve(state, event)
        return Given(self, state)

    def starting(self, state: S) -> Given[S]:
        """A story that begins in this state instead, its window included."""
        return Given(self, state)


@dataclass(frozen=True)
class Given(Generic[S]):
    story: Story[S]
    state: S

    def and_given(self, *events: Event) -> Given[S]:
        state = self.state
        for event in events:
            state = self.story.evolve(state, event)
        return replace(self, state=state)

    def when(self, command: Command) -> Outcome[S]:
        """Decides twice: a decider that answers differently reads what it may not."""
        first = self._decide(command)
        again = self._decide(command)
        assert first == again, f"decided differently the second time:\n{first}\n{again}"
        return Outcome(self, command, first)

    def _decide(self, command: Command) -> tuple[Event, ...] | Rejection:
        decided = self.story.decide(self.state, command)
        return decided if isinstance(decided, Rejection) else tuple(decided)

    def is_in(self, state: S) -> None:
        """The state after what was given equals this one."""
        assert self.state == state


@dataclass(frozen=True)
class Outcome(Generic[S]):
    before: Given[S]
    command: Command
    decided: tuple[Event, ...] | Rejection

    @property
    def events(self) -> tuple[Event, ...]:
        assert not isinstance(self.decided, Rejection), f"was refused: {self.decided!r}"
        return self.decided

    @property
    def after(self) -> Given[S]:
        """The story as it stands now; to go on with ``.after.when(…)``."""
        return self.before.and_given(*self.events)

    def emits(self, *events: Event) -> Outcome[S]:
        """Exactly these events, in this order; they fold."""
        assert events, "to expect nothing, say is_quiet()"
        assert self.events == events
        _ = self.after
        return self

    def is_quiet(self) -> Outcome[S]:
        """Neither events nor a refusal: silence."""
        assert self.events == ()
        return self

    def is_refused(self, rejection: Rejection) -> None:
        """Exactly this refusal, its fields included."""
        assert isinstance(self.decided, Rejection), f"was taken: {self.decided!r}"
        assert self.decided == rejection

    def is_refused_as(self, kind: type[Rejection]) -> None:
        """A refusal of this type, whatever its fields; prefer ``is_refused``."""
        assert isinstance(self.decided, Rejection), f"was taken: {self.decided!r}"
        assert type(self.decided) is kind
