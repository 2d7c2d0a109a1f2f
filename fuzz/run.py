"""Fuzz with atheris, guided by coverage: ``make fuzz``, or ``python fuzz/run.py --seconds 60 envelope codec``.

Each target gets an equal share of the time in a separate process. Inputs that reach new code are saved in ``.fuzz/``
and used again by the next run; copy the useful ones to ``fuzz/corpus/``. An input that fails is written to
``.fuzz/failures/`` and reported, and the exit code is 1.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
FINDINGS = HERE.parent / ".fuzz"
SECONDS = 600


def fuzz(target: str, seconds: int) -> None:
    """Fuzz one target in this process; does not return."""
    import atheris

    with atheris.instrument_imports(include=["coatcheck", "targets"]):
        sys.path.insert(0, str(HERE))
        from targets import TARGETS

    corpus, failures = FINDINGS / target, FINDINGS / "failures"
    corpus.mkdir(parents=True, exist_ok=True)
    failures.mkdir(parents=True, exist_ok=True)
    libfuzzer = [f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048", "-max_len=8192", "-verbosity=0"]
    libfuzzer.append(f"-artifact_prefix={failures}/{target}-")
    libfuzzer.append("-print_final_stats=1")
    atheris.Setup([sys.argv[0], *libfuzzer, str(corpus), str(HERE / "corpus" / target)], TARGETS[target])
    atheris.Fuzz()


def main() -> int:
    """Fuzz every target in order."""
    names = sorted(path.name for path in (HERE / "corpus").iterdir())
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", help=f"of {', '.join(names)}; all by default")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="seconds for all targets together")
    parser.add_argument("--in-process", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    chosen = options.targets or names
    unknown = sorted(set(chosen) - set(names))
    if unknown:
        parser.error(f"there is no target {', '.join(unknown)}")
    if options.in_process:
        fuzz(chosen[0], options.seconds)
    share = max(options.seconds // len(chosen), 1)
    failed = []
    for name in chosen:
        print(f"{name}: {share} s", flush=True)
        command = [sys.executable, __file__, "--in-process", "--seconds", str(share), name]
        done = subprocess.run(command, check=False, capture_output=True, text=True, env={**os.environ})
        lines = (done.stdout + done.stderr).splitlines()
        if done.returncode:
            failed.append(name)
            print("\n".join(lines[-40:]))
        else:
            print("\n".join(line for line in lines if "number_of_executed" in line or "new_units" in line))
    print(f"Failed: {', '.join(failed)}; see {FINDINGS / 'failures'}" if failed else "No failures.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
