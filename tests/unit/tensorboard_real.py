"""What TensorBoard itself finds in a folder of event files: scalars, hyper-parameters, nodes of the graph.
tensorboard_real.py FOLDER prints a line a run."""
import os
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

for folder, _, files in sorted(os.walk(sys.argv[1])):
    if not files:
        continue
    run = EventAccumulator(folder)
    run.Reload()
    start = plugin_data_pb2.HParamsPluginData.FromString(
        run.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    ).session_start_info
    curve = run.Scalars("loss/train") if "loss/train" in run.Tags()["scalars"] else []
    print(len(curve), len(start.hparams), len(run.Graph().node), [s.step for s in curve] == list(range(1, len(curve) + 1)))
