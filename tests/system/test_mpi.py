"""Training on 2 and 4 MPI processes gives the loss curve of one, from C and (with mpi4py) from Python.
usage: test_mpi.py [MPI_TRAIN]"""
import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys


def run(command, ranks):
    env = dict(os.environ, OMP_NUM_THREADS="1", OMPI_ALLOW_RUN_AS_ROOT="1",
               OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMPI_MCA_rmaps_base_oversubscribe="1",
               OMPI_MCA_mpi_yield_when_idle="1", OMPI_MCA_btl_vader_single_copy_mechanism="none")
    done = subprocess.run(["mpirun", "-n", str(ranks), *command], env=env, text=True,
                          capture_output=True, timeout=250, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def curve_of(said):
    return [float(x) for x in re.findall(r"loss (\S+)", said)]


def losses(program, ranks):
    said = run([program], ranks)
    right, of = map(int, re.search(r"test: (\d+) of (\d+) right", said).groups())
    return curve_of(said), right, of


def from_python():
    """The same by a hook in Python."""
    if importlib.util.find_spec("mpi4py") is None:
        print("no mpi4py here: examples/mpi/train.py not tried")
        return
    script = pathlib.Path(os.environ["RESCOMP_SOURCE"], "examples/mpi/train.py")
    one, two = (curve_of(run([sys.executable, script], n)) for n in (1, 2))
    worst = max(abs(a - b) / b for a, b in zip(two, one))
    print(f"2 processes of Python: losses within {worst:.1e}")
    assert len(one) == len(two) == 8 and one[-1] < one[0] and worst < 1e-4, (one, two)


def main():
    if len(sys.argv) < 2 or not shutil.which("mpirun"):
        print("skipped: built without MPI (libopenmpi-dev), or mpirun is missing")
        return 77
    one, right, of = losses(sys.argv[1], 1)
    assert len(one) == 16 and one[-1] < one[0], one
    for ranks in 2, 4:
        curve, found, total = losses(sys.argv[1], ranks)
        assert len(curve) == len(one), curve
        worst = max(abs(a - b) / b for a, b in zip(curve, one))
        print(f"{ranks} processes: losses within {worst:.1e}, {found} of {total} right "
              f"(one process: {right})")
        assert worst < 1e-4, (curve, one)
        assert total == of and abs(found - right) <= of // 200, (found, right)
    from_python()
    return 0


sys.exit(main())
