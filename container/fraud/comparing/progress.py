"""How far a comparison is: what is known of each pair, which fold comes next, and who leads."""

from dataclasses import dataclass, field
from math import inf
from statistics import median
from typing import Any

from fraud.comparing.plan import Pair, Plan
from fraud.comparing.store import Outcome, Store
from fraud.model.evaluation import Figure

type Fold = tuple[Pair, int]

# A fit is cheaper beyond what a clock can say where it takes less than this share of the winner's time ...
MUCH_LESS = 0.7
# ... and where it saves time that somebody would notice.
LEAST_SAVED_SECONDS = 1.0


@dataclass
class Progress:
    """What is known so far; `running` are the folds that workers have in hand.

    `gains` are those of the winner over pairs that reach its interval; `unweighable` says why one of these is unknown.
    `failures` are what nothing foresaw: no file holds them, and --resume tries again.
    """

    plan: Plan
    outcomes: dict[Fold, Outcome] = field(default_factory=dict)
    summaries: dict[Pair, dict[str, Any]] = field(default_factory=dict)
    gains: dict[Pair, Figure] = field(default_factory=dict)
    unweighable: dict[Pair, str] = field(default_factory=dict)
    failures: dict[Pair, str] = field(default_factory=dict)
    running: set[Fold] = field(default_factory=set)

    @classmethod
    def of(cls, plan: Plan, store: Store) -> "Progress":
        """Take up what is in a directory."""
        progress = cls(plan)
        for pair in plan.pairs:
            for fold in range(plan.folds):
                if outcome := store.outcome(pair, fold):
                    progress.outcomes[pair, fold] = outcome
            if progress.is_measured(pair) and (summary := store.summary(pair)):
                progress.summaries[pair] = summary
        return progress

    def of_pair(self, pair: Pair) -> list[Outcome]:
        """Return the outcomes of a pair, in the order of its folds."""
        return [self.outcomes[pair, fold] for fold in range(self.plan.folds) if (pair, fold) in self.outcomes]

    def refusal(self, pair: Pair) -> str:
        """Return why a pair is refused; nothing where it is not."""
        return next((outcome.refused for outcome in self.of_pair(pair) if outcome.refused), "")

    def failure(self, pair: Pair) -> str:
        """Return what nothing foresaw in a pair; nothing where it is well, or refused."""
        return "" if self.refusal(pair) else self.failures.get(pair, "")

    @property
    def failed(self) -> dict[Pair, str]:
        """Return why pairs failed, in the order of the plan."""
        return {pair: why for pair in self.plan.pairs if (why := self.failure(pair))}

    def is_measured(self, pair: Pair) -> bool:
        return len(self.of_pair(pair)) == self.plan.folds and not self.refusal(pair)

    @property
    def unsummarised(self) -> list[Pair]:
        """Return the pairs that are measured and not summed up."""
        known = {*self.summaries, *self.failures}
        return [pair for pair in self.plan.pairs if self.is_measured(pair) and pair not in known]

    def is_over(self, pair: Pair) -> bool:
        """Tell whether nothing more is to come of a pair in this run."""
        return bool(self.refusal(pair) or self.failure(pair)) or pair in self.summaries

    @property
    def is_complete(self) -> bool:
        return all(map(self.is_over, self.plan.pairs)) and not self.failed and not self.unweighed

    @property
    def unweighed(self) -> list[Pair]:
        """Return the pairs that may be within noise of the winner, as nobody has measured its lead over them."""
        return [pair for pair in self.near() if pair not in self.gains]

    @property
    def folds_done(self) -> int:
        """Return how many folds are done, or will never be as their pair is refused."""
        of = self.plan.folds
        return sum(of if self.refusal(pair) else len(self.of_pair(pair)) for pair in self.plan.pairs)

    def ranking(self) -> list[Pair]:
        """Return the pairs that are measured, the highest average precision first."""
        return sorted(self.summaries, key=lambda pair: (-self.average_precision(pair), self.plan.pairs.index(pair)))

    def near(self) -> list[Pair]:
        """Return the pairs whose average precision reaches the interval of the winner."""
        if not self.summaries:
            return []
        winner, *others = self.ranking()
        low = self.summaries[winner]["figures"]["average_precision"]["low"]
        return [pair for pair in others if self.average_precision(pair) >= low]

    @property
    def same_scores(self) -> list[Pair]:
        """Return the pairs that score every row as the winner does."""
        return [pair for pair, gain in self.gains.items() if gain.low == gain.value == gain.high == 0]

    @property
    def within_noise(self) -> list[Pair]:
        """Return the pairs that make other scores than the winner, and over which its lead may be nothing."""
        same = self.same_scores
        return [pair for pair, gain in self.gains.items() if gain.low <= 0 and pair not in same]

    def cheaper(self) -> Pair | None:
        """Return the cheapest of the pairs within noise, where it saves much; None until all leads are known."""
        found = min(self.within_noise, key=self.seconds, default=None)
        if found is None or not self.is_complete:
            return None
        winners, own = self.seconds(self.ranking()[0]), self.seconds(found)
        return found if own <= MUCH_LESS * winners and winners - own >= LEAST_SAVED_SECONDS else None

    def average_precision(self, pair: Pair) -> float:
        return float(self.summaries[pair]["figures"]["average_precision"]["value"])

    def seconds(self, pair: Pair) -> float:
        """Return the median seconds of a fit: the first in a process loads libraries too."""
        return median(outcome.seconds for outcome in self.of_pair(pair))

    def next_fold(self) -> Fold | None:
        """Return the fold that is likely to be done soonest: a table that fills early tells more."""
        waiting = [fold for pair in self.plan.pairs if (fold := self._first_waiting(pair))]
        return min(waiting, key=lambda fold: (self._cost(fold[0]), fold[1]), default=None)

    def _first_waiting(self, pair: Pair) -> Fold | None:
        """Return the first fold of a pair that nobody has; folds begin in their order, so that the first refuses."""
        if self.is_over(pair):
            return None
        folds = ((pair, fold) for fold in range(self.plan.folds))
        return next((fold for fold in folds if fold not in self.outcomes and fold not in self.running), None)

    def _cost(self, pair: Pair) -> float:
        """Guess the seconds of a fold by those of the pair, else by those of its learner.

        A learner that nobody knows comes first, to be known; one whose first fold still runs comes last.
        """
        known = [(fold[0], outcome.search_seconds) for fold, outcome in self.outcomes.items() if not outcome.refused]
        own = [seconds for other, seconds in known if other == pair]
        like = own or [seconds for other, seconds in known if other.learner == pair.learner]
        if like:
            return sum(like) / len(like)
        return inf if any(other.learner == pair.learner for other, _ in self.running) else 0.0
