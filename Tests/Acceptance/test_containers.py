"""The containers say what is so: every file, command, setting, port and package they name exists and fits the others."""

import glob
import os
import re
import shutil
import subprocess

import psycopg
import pytest

from balancer import CONFIGURATION, HAPROXY, Balancer, StandIn, Trio, environment
from containers import composition, of, packages, stages
from database import Database
from instance import BINARY, REPOSITORY, run
from postgres import Cluster

PROGRAM = ("migrate", "app-1", "app-2", "app-3")
INSTANCES = PROGRAM[1:]
BUILD, RUNTIME = stages()


@pytest.fixture(scope="module")
def services() -> dict:
    return composition()["services"]


def said_by(*command) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=REPOSITORY, timeout=60).stdout


def settings() -> set[str]:
    return set(re.findall(r"^(\w+) = ", run("settings")[1], re.M))


# Dockerfile

def copied() -> list[str]:
    """What the Dockerfile takes from the repository."""
    return [path for stage in (BUILD, RUNTIME) for each in of(stage, "COPY") if "--from=" not in each.text
            for path in each.arguments[:-1]]


@pytest.mark.parametrize("path", copied())
def test_what_is_copied_is_in_the_repository_and_reaches_the_build(path):
    assert said_by("git", "ls-files", "--", path), f"not in git: {path}"
    admitted = [line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert path in admitted


def test_nothing_else_reaches_the_build():
    lines = (REPOSITORY / ".dockerignore").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")][0] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == set(copied())


def test_every_target_of_the_package_is_copied():
    description = said_by("grep", "-oE", 'path: "[^"]+"', "Package.swift")
    folders = {re.search('"([^"/]+)', line)[1] for line in description.splitlines()} | {"Sources", "Tests"}
    assert folders <= set(copied())


def test_the_program_is_built_and_run_on_the_same_debian():
    built, runs = (of(stage, "FROM")[0].text.split()[0] for stage in (BUILD, RUNTIME))
    assert re.fullmatch(r"swift:\d+\.\d+-bookworm", built) and runs == "debian:bookworm-slim"
    version = re.search(r"swift-tools-version: ([\d.]+)", (REPOSITORY / "Package.swift").read_text())[1]
    assert tuple(map(int, re.findall(r"\d+", built))) >= tuple(map(int, version.split(".")))


def test_the_image_runs_the_program_as_an_ordinary_user():
    user = of(RUNTIME, "USER")[-1].text
    uid, gid = map(int, user.split(":"))
    accounts = " ".join(each.text for each in of(RUNTIME, "RUN"))
    assert uid >= 1000 and f"--uid {uid}" in accounts and f"--gid {gid}" in accounts
    words = [each.word for each in RUNTIME]
    assert words.index("USER") > max(n for n, word in enumerate(words) if word in ("RUN", "COPY"))
    assert of(RUNTIME, "STOPSIGNAL")[0].text == "SIGTERM"
    [entrance], [command] = of(RUNTIME, "ENTRYPOINT"), of(RUNTIME, "CMD")
    assert entrance.arguments == ["leads-crm"] and command.arguments == ["serve"]
    assert [line for line in RUNTIME if "postgresql" in line.text] == []


def test_the_images_settings_are_settings_of_the_program():
    [variables] = of(RUNTIME, "ENV")
    values = dict(word.split("=", 1) for word in variables.arguments)
    assert values.keys() <= settings()
    assert values["LEADS_HOST"] == "0.0.0.0" and values["LEADS_PORT"] == of(RUNTIME, "EXPOSE")[0].text
    assert any(values["LEADS_SWAGGER_UI"] == each.arguments[-1] for each in of(RUNTIME, "COPY"))


def test_make_builds_what_the_image_contains():
    recipe = said_by("make", "--no-print-directory", "-n", "release")
    [build] = [command for each in of(BUILD, "RUN") for command in each.commands if command[:2] == ["swift", "build"]]
    assert " ".join(build) in recipe


def installed() -> list[str]:
    """Every package the Dockerfile and the Makefile install."""
    commands = [command for stage in (BUILD, RUNTIME) for each in of(stage, "RUN") for command in each.commands]
    lines = re.findall(r"deploy/install-packages (.*)", (REPOSITORY / "Makefile").read_text().replace("$(PACKAGES)", ""))
    commands += [["deploy/install-packages", *line.split()] for line in lines]
    return sorted({package for command in commands if command[0].endswith("install-packages")
                   for package in packages(*command[1:])})


def test_every_package_named_is_one_of_debian():
    names = installed()
    assert {"libpq5", "libpq-dev", "haproxy"} <= set(names)
    known = subprocess.run(["apt-cache", "show", "--no-all-versions", *names], capture_output=True, text=True)
    if not known.stdout and "No packages found" in known.stderr:
        pytest.skip("apt has no lists of packages here")
    assert set(re.findall("^Package: (.*)", known.stdout, re.M)) == set(names)


def test_the_image_has_every_library_the_program_wants_and_no_package_in_vain():
    loaded = [line.split()[2] for line in said_by("ldd", BINARY).splitlines() if " => /" in line]
    libraries = [os.path.basename(os.path.realpath(path)) for path in loaded if "/swift/" not in path]
    wanted = "|".join(map(re.escape, libraries))
    files = said_by("grep", "-HE", f"/({wanted})$", *glob.glob("/var/lib/dpkg/info/*.list")).splitlines()
    owners = {line.rpartition("/")[2]: re.split("[:.]list|:", os.path.basename(line.split(".list:")[0]))[0] for line in files}
    assert set(libraries) <= owners.keys()
    listed = packages("@packages-runtime")
    depends = said_by("apt-cache", "depends", "--recurse", "--important", "--installed", *listed)
    available = set(re.findall(r"^(\w\S*?)(?::\w+)?$", depends, re.M))
    assert {name: owners[name] for name in libraries if owners[name] not in available} == {}
    assert set(listed) - set(owners.values()) == {"ca-certificates"}


# docker-compose.yml

def test_every_file_that_is_mounted_is_there_and_cannot_be_written(services):
    mounts = [mount for service in services.values() for mount in service.get("volumes", []) if mount.startswith("./")]
    assert len(mounts) == 2
    for mount in mounts:
        source, _, rights = mount.split(":")
        assert said_by("git", "ls-files", "--", source) and rights == "ro"


def test_only_the_balancer_is_published_and_only_to_this_machine(services):
    assert {name for name, service in services.items() if "ports" in service} == {"balancer"}
    assert services["balancer"]["ports"] == ["127.0.0.1:8000:8000"]
    assert composition(LEADS_PUBLISH="0.0.0.0:80")["services"]["balancer"]["ports"] == ["0.0.0.0:80:8000"]
    assert composition()["networks"]["data"] == {"internal": True}
    assert services["db"]["networks"] == ["data"] and services["balancer"]["networks"] == ["web"]
    assert not any(service.get("network_mode") or service.get("privileged") for service in services.values())


def test_one_starts_after_another(services):
    assert services["migrate"]["depends_on"] == {"db": {"condition": "service_healthy"}}
    for name in INSTANCES:
        assert services[name]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
    assert sorted(services["balancer"]["depends_on"]) == sorted(INSTANCES)
    assert "build" in services["migrate"] and len({services[name]["image"] for name in PROGRAM}) == 1
    assert all(services[name]["pull_policy"] == "never" for name in INSTANCES)


def test_all_programs_are_confined(services):
    for name in PROGRAM:
        service = services[name]
        assert service["read_only"] and service["cap_drop"] == ["ALL"] and service["init"], name
        assert service["security_opt"] == ["no-new-privileges:true"] and service["mem_limit"], name


def test_every_command_is_one_the_program_knows(services):
    for name in PROGRAM:
        command = services[name].get("command", of(RUNTIME, "CMD")[0].arguments)
        code, explanation = run("help", command[0])
        assert code == 0 and f"leads-crm {command[0]}" in explanation
        assert all(flag in explanation for flag in command[1:]), command


def test_every_variable_is_a_setting_of_the_program(services):
    for name in PROGRAM:
        assert set(services[name]["environment"]) <= settings(), name


def test_what_an_instance_is_tuned_by_may_stand_in_the_environment(services):
    """All settings but those that the composition decides itself, or that mean nothing in it."""
    decided = {"LEADS_PUBLISHED", "DATABASE_URL", "DATABASE_DIRECT_URL", "DATABASE_POOLED", "PGPASSWORD", "LEADS_SECRETS_DIRECTORY", "LEADS_DATA_DIRECTORY", "LEADS_HOST", "LEADS_PORT",
               "LEADS_DRAIN_SECONDS", "LEADS_IDLE_SECONDS", "LEADS_EVENT_LOOPS", "LEADS_SWEEP_SECONDS", "LEADS_SWAGGER_UI",
               "LEADS_LOG_FORMAT", "LEADS_KEY", "LEADS_DATABASE_TLS"}
    changed = {name: "7" for name in settings() - decided}
    for name in INSTANCES:
        assert composition(**changed)["services"][name]["environment"].items() >= changed.items()


def test_with_passwords_from_files_none_is_in_an_environment():
    composed = composition("deploy/docker-compose.secrets.yml", LEADS_SECRETS="/etc/leads", LEADS_OWNER_PASSWORD="owner-pw",
                           LEADS_APP_PASSWORD="app-pw")
    files = {name: each["file"] for name, each in composed["secrets"].items()}
    assert files == {"owner-password": "/etc/leads/owner-password", "app-password": "/etc/leads/app-password"}
    for name, service in composed["services"].items():
        given = service.get("environment", {})
        assert not {"leads-local", "owner-pw", "app-pw"} & set(given.values()), name
        named = {value for key, value in given.items() if key.endswith("_FILE")}
        assert named == {f"/run/secrets/{secret}" for secret in service.get("secrets", [])}, name
        if name in PROGRAM:
            assert {key.removesuffix("_FILE") for key in given} <= settings()
    assert [name for name, service in composed["services"].items() if "secrets" in service] == ["db", *PROGRAM]


def test_the_time_to_stop_covers_the_drain(services):
    for name in INSTANCES:
        drain = int(services[name]["environment"]["LEADS_DRAIN_SECONDS"])
        assert drain == Trio.DRAIN_SECONDS
        check = re.search(r"inter (\d+)ms fall (\d+)", CONFIGURATION.read_text())
        noticed = int(check[1]) * int(check[2]) / 1000
        assert 2 * noticed <= drain and drain + 10 <= int(services[name]["stop_grace_period"].rstrip("s"))
    stop = re.search(r"hard-stop-after (\d+)s", CONFIGURATION.read_text())[1]
    assert int(stop) < int(services["balancer"]["stop_grace_period"].rstrip("s"))


def test_the_ports_agree(services):
    port = of(RUNTIME, "EXPOSE")[0].text
    wanted = services["balancer"]["environment"]
    assert wanted == environment(":8000", [f"{name}:{port}" for name in INSTANCES], rate=20_000)
    assert set(re.findall(r"\$\{(\w+)[}-]", CONFIGURATION.read_text())) == set(wanted)


def test_haproxy_accepts_its_configuration_also_while_no_instance_has_a_name(services):
    done = subprocess.run([HAPROXY, "-c", "-f", CONFIGURATION], env=os.environ | services["balancer"]["environment"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_haproxy_is_the_version_that_is_tested(services):
    version = re.search(r"version (\d+\.\d+)", said_by(HAPROXY, "-v"))[1]
    assert services["balancer"]["image"] == f"haproxy:{version}-bookworm"
    assert services["db"]["image"] == "postgres:15-bookworm"


def test_a_rolling_restart_names_every_instance_once():
    script = (REPOSITORY / "deploy/rolling-restart").read_text()
    assert re.search("for instance in (.*);", script)[1].split() == list(INSTANCES)
    for script in ("rolling-restart", "create-app-login", "install-packages"):
        assert os.access(REPOSITORY / "deploy" / script, os.X_OK)
        said_by("sh", "-n", f"deploy/{script}")


# Health checks

def healthy(command: list[str], **variables) -> bool:
    assert command[0] == "CMD" and shutil.which(command[1])
    return subprocess.run(command[1:], env=os.environ | variables, timeout=20).returncode == 0


def test_the_image_tells_a_ready_instance_from_none(server):
    [check] = of(RUNTIME, "HEALTHCHECK")
    assert check.arguments[0] == "leads-crm"
    assert run(*check.arguments[1:], LEADS_PORT=server.port) == (0, "ready\n")
    assert run(*check.arguments[1:], LEADS_PORT=1)[0] == 1


def test_the_database_is_healthy_when_it_answers(services, cluster):
    command = services["db"]["healthcheck"]["test"]
    assert healthy(command, PGPORT=str(cluster.port))
    assert not healthy(command, PGPORT="1")


def test_the_balancer_is_healthy_when_an_instance_is_ready(services):
    stand_in = StandIn(None)
    balancer = Balancer([stand_in.port] * 3)
    try:
        *command, script = services["balancer"]["healthcheck"]["test"]
        assert "/8000 " in script
        script = script.replace("/8000 ", f"/{balancer.port} ")
        assert healthy([*command, script])
        stand_in.end()
        assert not healthy([*command, script])
    finally:
        balancer.end()
        stand_in.end()


# The database as the containers set it up

PASSWORDS = {"owner": "o w/n@er:%", "app": "it's \"a\\ pass$word"}


@pytest.fixture(scope="module", params=["environment", "files"])
def guarded(request, tmp_path_factory):
    """A cluster that wants passwords over TCP, with what is run when the volume of `db` is empty; and what the services'
    environments are in it."""
    secrets = tmp_path_factory.mktemp("secrets")
    for account, password in PASSWORDS.items():
        (secrets / f"{account}-password").write_text(password + "\n")
    if request.param == "files":
        composed = composition("deploy/docker-compose.secrets.yml")
    else:
        composed = composition(LEADS_OWNER_PASSWORD=PASSWORDS["owner"], LEADS_APP_PASSWORD=PASSWORDS["app"])
    services = composed["services"]
    cluster = Cluster()

    def variables_of(name: str) -> dict:
        """A service's environment, its database in the cluster and its secrets where they are here."""
        variables = {key: value.replace("/run/secrets", str(secrets)) for key, value in services[name]["environment"].items()}
        if name == "db":
            return variables
        user = cluster.user if name == "migrate" else re.search("//(.*)@db/", variables["DATABASE_URL"])[1]
        url = re.sub("//.*@db/", f"//{user}@127.0.0.1:{cluster.port}/", variables["DATABASE_URL"])
        return variables | {"DATABASE_URL": url}

    try:
        cluster.start()
        with cluster.connect() as admin:
            admin.execute("create database leads")
            admin.execute(psycopg.sql.SQL("alter role {} password {}").format(
                psycopg.sql.Identifier(cluster.user), PASSWORDS["owner"]))
        (cluster.home / "data/pg_hba.conf").write_text("local all all trust\nhost all all all scram-sha-256\n")
        inside = variables_of("db") | {"PGHOST": str(cluster.home), "PGPORT": str(cluster.port), "POSTGRES_USER": cluster.user}
        subprocess.run([REPOSITORY / "deploy/create-app-login"], env=os.environ | inside, check=True)
        subprocess.run(["psql", "-qc", "select pg_reload_conf()", "-o", "/dev/null", "leads"],
                       env=os.environ | inside | {"PGUSER": cluster.user}, check=True)
        yield cluster, variables_of
    finally:
        cluster.remove()


def test_the_database_is_made_and_used_by_accounts_with_their_own_rights(services, guarded, instances):
    _, variables_of = guarded
    for _ in range(2):
        code, output = run(*services["migrate"]["command"], **variables_of("migrate"))
        assert code == 0, output
    variables = variables_of("app-1")
    server = instances(None, **variables)
    api = server.client()
    source, operator = api.staffed_source()
    assert api.contact(source["id"])["operator_id"] == operator["id"]
    assert PASSWORDS["app"] not in server.output()
    with psycopg.connect(variables["DATABASE_URL"], password=PASSWORDS["app"]) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("update operator_loads set load = 0")
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(variables["DATABASE_URL"], password="leads-local")
    server.end()


def test_roles_are_made_again_without_waiting_for_anybody_at_work(guarded, instances, services):
    """An upgrade runs `migrate` beside instances that serve."""
    cluster, variables_of = guarded
    run(*services["migrate"]["command"], **variables_of("migrate"))
    database = Database(f"host={cluster.home} port={cluster.port} user={cluster.user} dbname=leads")
    with database.connect(autocommit=False) as working, database.connect() as upgrading:
        for (table,) in database.rows("select tablename from pg_tables where schemaname = 'public'"):
            working.execute(psycopg.sql.SQL("lock table {} in row exclusive mode").format(psycopg.sql.Identifier(table)))
        upgrading.execute("set lock_timeout = '500ms'")
        for file in ("ownership.sql", "roles.sql"):
            upgrading.execute((REPOSITORY / "sql" / file).read_text())
