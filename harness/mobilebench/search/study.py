"""The memory of a search, and what proposes the next recipe: Optuna, by ask and tell.

All that is known of each candidate is kept with Optuna's trial, in a journal file: appended to,
never rewritten, so that a kill loses at most the candidate under way.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from mobilebench.compress.recipe import Recipe, parse_recipe
from mobilebench.errors import BadInputError, InvalidRunError, first_line
from mobilebench.search.aim import Aim
from mobilebench.search.candidate import Candidate, Measure, candidate_of
from mobilebench.search.space import Space

if TYPE_CHECKING:
    from optuna import Trial

Sampler = Literal["tpe", "nsga2", "random"]

_NAME = "search"
_CANDIDATE = "candidate"
#: So many recipes are drawn at random, with those it begins with, before the sampler learns.
_STARTUP = 10
_POPULATION = 16


@dataclass(frozen=True)
class Asked:
    """A proposal: the trial's number, and its recipe or why what was drawn is none."""

    number: int
    recipe: Recipe | None
    reason: str = ""


class Study:
    """What was tried, and what to try next.

    Args:
        journal: the file that it is kept in; made if need be.
        space: what may be tried.
        aim: what is searched for.
        sampler: ``tpe`` (tree-structured Parzen estimator, also for several objectives), ``nsga2``
            or ``random``.
        seed: of what is drawn.

    Raises:
        BadInputError: Optuna is not installed, or the journal is none.
        InvalidRunError: the disk is full or failing.
    """

    def __init__(
        self, journal: Path, space: Space, aim: Aim, sampler: Sampler = "tpe", seed: int = 0
    ) -> None:
        self._space = space
        self._aim = aim
        optuna = _optuna()
        with _journal_errors(journal):
            try:
                storage = optuna.storages.JournalStorage(
                    optuna.storages.journal.JournalFileBackend(str(journal))
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
            # What goes on with a search is not to draw again what was drawn before.
            study.sampler = _sampler(sampler, seed + len(study.trials))
            for trial in study.trials:  # a process was killed in the middle of it
                if trial.state == optuna.trial.TrialState.RUNNING:
                    if trial.params:
                        study.enqueue_trial(trial.params)
                    study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        self._study = study
        self._journal = journal
        self._trials: dict[int, Trial] = {}

    def begin_with(self, recipe: Recipe) -> bool:
        """Has a recipe of the space tried first; False: the space does not have it."""
        parameters = self._space.parameters(recipe)
        if parameters is None:
            return False
        with _journal_errors(self._journal):
            self._study.enqueue_trial(parameters, skip_if_exists=True)
        return True

    def ask(self) -> Asked:
        """The next recipe to try."""
        with _journal_errors(self._journal):
            trial = self._study.ask()
            self._trials[trial.number] = trial
            try:
                return Asked(trial.number, self._space.draw(trial))
            except BadInputError as error:
                return Asked(trial.number, None, str(error))

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
        """A proposal was no recipe."""
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
            try:
                found.append(candidate_of(document))
                parse_recipe(found[-1].recipe)
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
