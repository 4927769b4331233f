"""A run's figures in TensorBoard."""

import struct

import pytest

import equipoise as eq
from equipoise.training import Trainer, train

TRAINER = Trainer(name="t", epochs=2, batch_size=16)


def scalars(folder) -> dict[str, dict[int, float]]:
    """What is in the event files of a folder: tag to step to value."""
    proto = pytest.importorskip("tensorboardX.proto.event_pb2")
    found: dict[str, dict[int, float]] = {}
    for path in folder.glob("events.out.*"):
        data, place = path.read_bytes(), 0
        while place < len(data):
            # A record: its length, a checksum, the event, another checksum.
            (length,) = struct.unpack_from("<Q", data, place)
            event = proto.Event.FromString(data[place + 12 : place + 12 + length])
            place += 12 + length + 4
            for value in event.summary.value:
                found.setdefault(value.tag, {})[event.step] = value.simple_value
    return found


def test_every_figure_of_every_epoch_is_a_scalar(digits, tmp_path):
    pytest.importorskip("tensorboardX")
    run = train(digits, "none", trainer=TRAINER, out=tmp_path / "run", tensorboard=True)
    found = scalars(tmp_path / "run" / "tensorboard")
    figure = found["validation/balanced_accuracy"]
    assert figure == pytest.approx(
        {row["step"]: row["validation_balanced_accuracy"] for row in run.rows}
    )
    assert len(found) == len(run.rows[0])
    assert {"training/loss", "run/seconds"} <= found.keys()


def test_a_board_needs_a_folder(digits):
    with pytest.raises(eq.InputError, match="output folder for tensorboard"):
        train(digits, "none", trainer=TRAINER, tensorboard=True)


def test_a_finished_run_without_a_log_gets_none_and_that_is_told(digits, tmp_path):
    pytest.importorskip("tensorboardX")
    train(digits, "none", trainer=TRAINER, out=tmp_path / "run")
    with pytest.warns(UserWarning, match="no log is made of it"):
        train(digits, "none", trainer=TRAINER, out=tmp_path / "run", tensorboard=True)
