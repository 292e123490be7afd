"""Counting the statements PostgreSQL executes for a request, from its own log."""

import re
from itertools import count

from waiting import eventually

_numbers = count(1)
_EXECUTED = re.compile(r"LOG:  (?:execute [^:]*|statement): (.*)")


class StatementLog:
    """The statements on one database, of which PostgreSQL logs every single one."""

    def __init__(self, cluster, database):
        self._cluster, self._database = cluster, database

    @staticmethod
    def switch_on(database) -> None:
        """For sessions that begin from now on."""
        with database.connect() as connection:
            name = connection.info.dbname
            connection.execute(f"alter database {name} set log_statement = 'all'")

    def of(self, work) -> list[str]:
        """What was executed while `work` ran, the first line of each, without what only begins and ends transactions.
        Nobody else may use the cluster meanwhile."""
        size = self._cluster.log_size()
        work()
        marker = f"select 'marker {next(_numbers)}'"
        with self._database.connect() as connection:
            connection.execute(marker)
        text = eventually(lambda: (log := self._cluster.log_since(size)) and marker in log and log, 5, "no log")
        found = [statement.strip() for statement in _EXECUTED.findall(text[:text.index(marker)])]
        return [each for each in found if each and not re.match(r"(begin|commit|rollback|deallocate)\b", each, re.I)]
