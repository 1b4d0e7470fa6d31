"""Two stages of a run at a time: while one is made at its turn, another that is ready is made ahead of its turn.

Dagster calls the stages of a run one after another. No stage keeps all cores busy for its whole time, and several wait
for nothing but their own inputs. A second thread makes such a stage early; at its turn its result is there already.

Belongs here: which stage may be made ahead, and handing over its result. Does not belong here: making a stage
(`stages.run`), and the order of turns (Dagster).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bioscan_etl.errors import BioscanError, is_panic
from bioscan_etl.progress import Progress
from bioscan_etl.stages.registry import STAGES, Stage
from bioscan_etl.stages.run import Done
from bioscan_etl.stages.situation import Situation

Make = Callable[[str, Situation, Progress], Done]


@dataclass(slots=True)
class _Result:
    """What came of a stage; neither while it is being made."""

    done: Done | None = None
    error: BaseException | None = None

    @property
    def is_final(self) -> bool:
        return self.done is not None or self.error is not None


class Ahead:
    """The stages of one run.

    A stage is made ahead if all stages that it reads or follows are done in this run without a failed blocking check,
    and if its memory and that of the stage at its turn stay within the budget. An error of a stage made ahead is raised
    at its turn. A stage that takes the cores for itself (`Stage.alone`) is never made beside another.

    Args:
        situation: of the run; every stage of it works on this one.
        stages: names of the stages that the run has left, each after those that it reads.
        progress: receives the progress of stages that are made ahead.
        budget: bytes that two stages may take together; 0: no stage is made ahead.
        make: makes a stage, as `stages.run.run_stage`.
    """

    def __init__(
        self,
        situation: Situation,
        stages: Iterable[str],
        progress: Progress,
        budget: float,
        make: Make,
    ) -> None:
        self.situation = situation
        self._stages = tuple(stages)
        self._progress = progress
        self._budget = budget
        self._make = make
        self._results: dict[str, _Result] = {}  # of the stages that have begun
        self._changed = threading.Condition()
        self._second: threading.Thread | None = None
        self._is_closed = False

    def make(self, name: str, progress: Progress) -> Done:
        """Make a stage at its turn, or hand over what was made ahead.

        Args:
            name: of the stage.
            progress: receives its progress, if it is made now.

        Raises:
            BioscanError: as of `run_stage`.
        """
        while (claimed := self._claim(name)) not in {name, ""}:
            # The stage at its turn is being made: meanwhile, another one.
            self._run(claimed, self._progress)
        if claimed:
            self._begin_second()
            self._run(name, progress)
        result = self._results[name]
        if result.error is not None:
            raise result.error
        assert result.done is not None
        return result.done

    def close(self) -> None:
        """Make no further stage ahead, and wait for the one that is being made."""
        with self._changed:
            self._is_closed = True
            second = self._second
        if second is not None:
            second.join()

    @property
    def is_over(self) -> bool:
        """Whether every stage has had a result."""
        with self._changed:
            return all(name in self._results and self._results[name].is_final for name in self._stages)

    def _claim(self, name: str) -> str:
        """The stage that the caller has to make now: the named one or another; empty if the named one has a result."""
        with self._changed:
            while True:
                result = self._results.get(name)
                if result is not None and result.is_final:
                    return ""
                chosen = (name if self._fits(STAGES[name]) else None) if result is None else self._ready()
                if chosen is not None:
                    self._results[chosen] = _Result()
                    return chosen
                self._changed.wait()

    def _begin_second(self) -> None:
        """Let a second thread make what is ready, unless it is at work."""
        with self._changed:
            if self._is_closed or not self._budget or self._second is not None:
                return
            # A run that is interrupted does not wait for it: what it leaves is no output without its manifest.
            self._second = threading.Thread(target=self._make_ready, name="stages ahead", daemon=True)
            self._second.start()

    def _make_ready(self) -> None:
        while True:
            with self._changed:
                name = None if self._is_closed else self._ready()
                if name is None:
                    self._second = None
                    return
                self._results[name] = _Result()
            self._run(name, self._progress)

    def _run(self, name: str, progress: Progress) -> None:
        done, error = None, None
        try:
            done = self._make(name, self.situation, progress)
        except BaseException as caught:
            error = caught
            is_interruption = not isinstance(caught, Exception) and not is_panic(caught)
            if is_interruption and threading.current_thread() is not self._second:
                raise
        finally:
            with self._changed:
                self._results[name] = _Result(done, error)
                self._changed.notify_all()

    def _ready(self) -> str | None:
        """The first stage that can be made ahead of its turn."""
        if not self._budget or self._is_closed:
            return None
        waiting = (STAGES[name] for name in self._stages if name not in self._results)
        return next((stage.name for stage in waiting if self._is_ready(stage) and self._fits(stage)), None)

    def _is_ready(self, stage: Stage) -> bool:
        needed = [*stage.reads, *stage.after]
        return not stage.alone and all(self._is_done(name) for name in needed)

    def _is_done(self, name: str) -> bool:
        if name not in self._stages:  # an earlier run made it
            return True
        result = self._results.get(name)
        if result is None or result.done is None:
            return False
        return all(finding.passed or not finding.blocking for finding in result.done.findings)

    def _fits(self, stage: Stage) -> bool:
        """Whether a stage may be made beside those that are being made now."""
        others = [STAGES[name] for name, result in self._results.items() if not result.is_final]
        if not others:
            return True
        if stage.alone or any(other.alone for other in others):
            return False
        return rows_of(self.situation) * sum(one.bytes_per_row for one in (stage, *others)) <= self._budget


def rows_of(situation: Situation) -> int:
    """Records of a batch, or of all pinned ones; 0 while nobody knows."""
    try:
        if situation.batch is None:
            outputs = [situation.of_batch("raw_records", batch) for batch in situation.pinned.records]
        else:
            outputs = [output] if (output := situation.find("raw_records")) else []
    except BioscanError:
        return 0
    return sum(int(output.counts.get("records", 0)) for output in outputs)
