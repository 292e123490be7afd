"""Dockerfile and docker-compose.yml, read. No Docker is needed: what they say is held against what is there."""

import json
import os
import re
import shlex
from dataclasses import dataclass
from functools import reduce

import yaml

from instance import REPOSITORY

_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


def composition(*others: str, **variables: str) -> dict:
    """docker-compose.yml and others laid over it, variables replaced as Compose does it in an environment with these alone."""

    def replaced(part):
        if isinstance(part, dict):
            return {key: replaced(value) for key, value in part.items()}
        if isinstance(part, list):
            return [replaced(each) for each in part]
        if isinstance(part, str):
            return _VARIABLE.sub(lambda found: variables.get(found[1]) or found[2] or "", part)
        return part

    def laid(over: dict, part: dict) -> dict:
        return over | {key: laid(over[key], value) if isinstance(value, dict) and key in over else value
                       for key, value in part.items()}

    parts = [yaml.safe_load((REPOSITORY / name).read_text()) for name in ("docker-compose.yml", *others)]
    return replaced(reduce(laid, parts))


@dataclass
class Instruction:
    word: str
    text: str

    @property
    def arguments(self) -> list[str]:
        """The words after the flags: of the exec form, or of a shell's line."""
        if "[" in self.text and self.text.endswith("]"):
            return json.loads(self.text[self.text.index("["):])
        return [word for word in shlex.split(self.text) if not word.startswith("--")]

    @property
    def commands(self) -> list[list[str]]:
        """The commands of a RUN, each as words."""
        return [shlex.split(command) for command in self.text.split("&&")]


def stages() -> list[list[Instruction]]:
    """The Dockerfile: the instructions of each stage, FROM first."""
    lines = [line for line in (REPOSITORY / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    instructions = [Instruction(*line.split(maxsplit=1)) for line in joined.splitlines() if line]
    starts = [n for n, each in enumerate(instructions) if each.word == "FROM"]
    return [instructions[start:end] for start, end in zip(starts, [*starts[1:], None])]


def of(stage: list[Instruction], word: str) -> list[Instruction]:
    return [each for each in stage if each.word == word]


def packages(*names: str) -> list[str]:
    """What deploy/install-packages makes of its arguments."""
    found = []
    for name in names:
        if name.startswith("@"):
            lines = (REPOSITORY / "deploy" / os.path.basename(name).lstrip("@")).read_text().splitlines()
            found += [line for line in lines if not line.startswith("#")]
        else:
            found.append(name)
    return found
