"""Training on 2 and 4 MPI processes gives the loss curve of one. usage: test_mpi.py [MPI_TRAIN]"""
import os
import re
import shutil
import subprocess
import sys


def losses(program, ranks):
    env = dict(os.environ, OMP_NUM_THREADS="1", OMPI_ALLOW_RUN_AS_ROOT="1",
               OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMPI_MCA_rmaps_base_oversubscribe="1",
               OMPI_MCA_mpi_yield_when_idle="1", OMPI_MCA_btl_vader_single_copy_mechanism="none")
    done = subprocess.run(["mpirun", "-n", str(ranks), program], env=env, text=True,
                          capture_output=True, timeout=250, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    curve = [float(x) for x in re.findall(r"loss (\S+)", done.stdout)]
    right, of = map(int, re.search(r"test: (\d+) of (\d+) right", done.stdout).groups())
    return curve, right, of


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
    return 0


sys.exit(main())
