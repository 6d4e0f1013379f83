"""The memory of a search, and what proposes the next recipe: Optuna, by ask and tell.

All that is known of each candidate is kept with Optuna's trial, in a journal file: appended to,
never rewritten, so that a kill loses at most the candidate under way. Several processes may share
it: each claims its candidate before it begins, and no other process takes that one meanwhile.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from filelock import FileLock
from pydantic import ValidationError

from mobilebench.compress.recipe import Recipe, parse_recipe
from mobilebench.errors import BadInputError, InvalidRunError, first_line
from mobilebench.search.aim import Aim
from mobilebench.search.candidate import Candidate, Measure, candidate_of
from mobilebench.search.processes import Processes
from mobilebench.search.space import Space

if TYPE_CHECKING:
    from optuna import Trial

Sampler = Literal["tpe", "nsga2", "random"]

_NAME = "search"
_CANDIDATE = "candidate"
#: What each process has under way: the recipe, and its trial if it has one.
_UNDER_WAY = "under_way:"
#: So many recipes are drawn at random, with those it begins with, before the sampler learns.
_STARTUP = 10
_POPULATION = 16


@dataclass(frozen=True)
class Asked:
    """A proposal.

    Attributes:
        number: of the trial.
        recipe: None: what was drawn is none.
        reason: why not.
        is_claimed: whether this process is to try it; else it was tried before, or another
            process has it under way.
    """

    number: int
    recipe: Recipe | None
    reason: str = ""
    is_claimed: bool = False


class Study:
    """What was tried, and what to try next.

    Args:
        journal: the file that it is kept in; made if need be.
        space: what may be tried.
        aim: what is searched for.
        sampler: ``tpe`` (tree-structured Parzen estimator, also for several objectives), ``nsga2``
            or ``random``.
        seed: of what is drawn.
        processes: those that are at the search; None: this one alone.

    Raises:
        BadInputError: Optuna is not installed, or the journal is none.
        InvalidRunError: the disk is full or failing.
    """

    def __init__(
        self,
        journal: Path,
        space: Space,
        aim: Aim,
        sampler: Sampler = "tpe",
        seed: int = 0,
        processes: Processes | None = None,
    ) -> None:
        self._space = space
        self._aim = aim
        self._processes = processes or Processes(journal.parent)
        self._known: dict[int, Candidate] = {}
        optuna = _optuna()
        with _journal_errors(journal), self._processes.claiming:
            try:
                storage = optuna.storages.JournalStorage(
                    optuna.storages.journal.JournalFileBackend(str(journal), _JournalLock(journal))
                )
                directions = ["minimize"] * len(aim.minimize)
                study = optuna.create_study(
                    study_name=_NAME, storage=storage, directions=directions, load_if_exists=True
                )
            except (KeyError, ValueError, TypeError) as error:
                raise BadInputError(
                    f"{journal} is no journal of a search: {first_line(error)}"
                ) from error
            if len(study.directions) != len(directions):
                raise BadInputError(f"{journal} is of a search that minimizes something else")
            # What goes on with a search is not to draw again what was drawn before, nor is one of
            # several processes to draw what the others draw.
            joined = sum(name.startswith(_UNDER_WAY) for name in study.user_attrs)
            study.sampler = _sampler(sampler, seed + len(study.trials) + 1000 * joined)
            study.set_user_attr(_UNDER_WAY + self._processes.token, None)
        self._study = study
        self._journal = journal
        self._trials: dict[int, Trial] = {}

    def begin_with(self, recipe: Recipe) -> bool:
        """Has a recipe of the space tried first; False: the space does not have it."""
        parameters = self._space.parameters(recipe)
        if parameters is None:
            return False
        with _journal_errors(self._journal), self._processes.claiming:
            self._study.enqueue_trial(parameters, skip_if_exists=True)
        return True

    def ask(self) -> Asked:
        """The next recipe to try."""
        with _journal_errors(self._journal), self._processes.claiming:
            self._take_over()
            trial = self._study.ask()
            self._trials[trial.number] = trial
            try:
                recipe = self._space.draw(trial)
            except BadInputError as error:
                return Asked(trial.number, None, str(error))
            is_free = self.is_free(recipe)
            if is_free:
                self.claim(recipe, trial.number)
            return Asked(trial.number, recipe, is_claimed=is_free)

    def claiming(self) -> AbstractContextManager[Any]:
        """No other process claims a candidate within it."""
        return self._processes.claiming

    def is_free(self, recipe: Recipe) -> bool:
        """Whether nobody has tried it, and no other process is at it."""
        return recipe.text not in {c.recipe for c in self.candidates()} | {*self.under_way()}

    def claim(self, recipe: Recipe, trial: int | None = None) -> None:
        """Notes that this process is at a recipe, by a trial of that number if it has one."""
        claim = {"recipe": recipe.text, "trial": trial}
        self.keep(_UNDER_WAY + self._processes.token, claim)

    def under_way(self) -> list[str]:
        """The recipes that other processes are at."""
        return [text for text, _ in self._claims()]

    def _claims(self) -> list[tuple[str, int | None]]:
        return [
            (claim["recipe"], claim["trial"])
            for name, claim in self._study.user_attrs.items()
            if name.startswith(_UNDER_WAY)
            and claim is not None
            and (token := name.removeprefix(_UNDER_WAY)) != self._processes.token
            and self._processes.is_there(token)
        ]

    def _take_over(self) -> None:
        """Has tried again what was under way when its process ended."""
        running = _optuna().trial.TrialState.RUNNING
        trials = self._study.get_trials(deepcopy=False, states=(running,))
        left = {trial.number: trial for trial in trials if trial.number not in self._trials}
        claimed = {number for _, number in self._claims()} if left else set()
        for trial in left.values():
            if trial.number not in claimed:
                # Those of a recipe that was to be tried are known before they are drawn.
                if parameters := trial.system_attrs.get("fixed_params") or trial.params:
                    self._study.enqueue_trial(parameters)
                self._study.tell(trial.number, state=_optuna().trial.TrialState.FAIL)

    def tell(
        self,
        asked: Asked,
        candidate: Candidate,
        *,
        otherwise: Mapping[Measure, float],
        repeated: bool = False,
    ) -> None:
        """Keeps what came of a proposal.

        Args:
            asked: the proposal.
            candidate: what is known of it now.
            otherwise: what a measure counts as that is not known: the baseline's.
            repeated: whether it was known before: the sampler learns, and nothing is counted twice.
        """
        trial = self._trials.pop(asked.number)
        with _journal_errors(self._journal):
            if not repeated:
                trial.set_user_attr(_CANDIDATE, candidate.as_json())
            if candidate.state in ("refused", "failed") or not candidate.values:
                self._study.tell(trial, state=_optuna().trial.TrialState.FAIL)
                return
            # What was screened before its quality was known is beaten by another one anyway.
            violations = {"max_quality_loss": 0.0, **self._aim.violations(candidate)}
            for name, violation in violations.items():
                trial.set_constraint(name, violation)
            values = {**otherwise, **candidate.values}
            self._study.tell(trial, [values[name] for name in self._aim.minimize])

    def refuse(self, asked: Asked) -> None:
        """A proposal was no recipe, or is another process's."""
        with _journal_errors(self._journal):
            trial = self._trials.pop(asked.number)
            trial.set_user_attr("reason", asked.reason)
            self._study.tell(trial, state=_optuna().trial.TrialState.FAIL)

    def add(self, candidate: Candidate) -> None:
        """Keeps a candidate that no draw of the space gives."""
        optuna = _optuna()
        with _journal_errors(self._journal):
            self._study.add_trial(
                optuna.trial.create_trial(
                    state=optuna.trial.TrialState.FAIL,
                    user_attrs={_CANDIDATE: candidate.as_json()},
                )
            )

    def candidates(self) -> list[Candidate]:
        """All that came to an end, in that order.

        Raises:
            BadInputError: the journal holds something else.
        """
        found = []
        trials = [t for t in self._study.get_trials(deepcopy=False) if t.state.is_finished()]
        for trial in sorted(trials, key=lambda t: t.datetime_complete or t.datetime_start):
            document = trial.user_attrs.get(_CANDIDATE)
            if document is None:
                continue
            if trial.number in self._known:
                found.append(self._known[trial.number])
                continue
            try:
                found.append(candidate_of(document))
                parse_recipe(found[-1].recipe)
                self._known[trial.number] = found[-1]
            except (ValidationError, BadInputError) as error:
                raise BadInputError(
                    f"{self._journal}: trial {trial.number} is no candidate: {first_line(error)}"
                ) from error
        return found

    def keep(self, name: str, value: Any) -> None:
        """Keeps something of the whole search."""
        with _journal_errors(self._journal):
            self._study.set_user_attr(name, value)

    def kept(self, name: str) -> Any:
        """What was kept; None: nothing."""
        return self._study.user_attrs.get(name)

    def keep_own(self, name: str, value: Any) -> None:
        """Keeps something that each process has a value of."""
        self.keep(f"{name}:{self._processes.token}", value)

    def own(self, name: str) -> Any:
        """What this process kept so; None: nothing."""
        return self.kept(f"{name}:{self._processes.token}")

    def kept_by_each(self, name: str) -> list[Any]:
        """What the processes kept, those of earlier sessions as well."""
        prefix = f"{name}:"
        return [v for key, v in self._study.user_attrs.items() if key.startswith(prefix)]


class _JournalLock:
    """What Optuna locks its journal by: the system frees it at once when its process is killed."""

    def __init__(self, journal: Path) -> None:
        self._lock = FileLock(f"{journal}.lock")

    def acquire(self) -> bool:
        self._lock.acquire()
        return True

    def release(self) -> None:
        self._lock.release()


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise BadInputError("a search needs Optuna: pip install 'mobilebench[search]'") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def _sampler(name: Sampler, seed: int) -> Any:
    samplers = _optuna().samplers
    if name == "random":
        return samplers.RandomSampler(seed=seed)
    if name == "nsga2":
        return samplers.NSGAIISampler(seed=seed, population_size=_POPULATION)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # `multivariate` and `group` may change in the future
        return samplers.TPESampler(
            seed=seed,
            multivariate=True,
            group=True,
            n_startup_trials=_STARTUP,
            warn_independent_sampling=False,
        )


@contextlib.contextmanager
def _journal_errors(journal: Path) -> Iterator[None]:
    """What goes wrong with the file, in a sentence; what Optuna warns of is not the user's."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except OSError as error:
        raise InvalidRunError(f"cannot write {journal}: {error.strerror}") from error
