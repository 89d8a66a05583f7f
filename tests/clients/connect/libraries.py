"""Connect's REST API through the Python libraries kafka-connect-api, kafka-connect-py, kafkaconnect and two helpers.

Not here: the command line tools, which are in commands.py.
"""

import json

import requests
from connect_helper import ConnectHelper
from kafka_connect import KafkaConnect
from kafka_connect_api.errors import ConnectGenericException, GenericNotFound
from kafka_connect_api.kafka_connect_api import Api, Cluster, Connector
from kafka_connect_healthcheck.health import Health
from kafkaconnect.connect import Connect
from place import SINK, SOURCE, equal, eventually, fails, holds, main


def kafka_connect_api(place):
    cluster = Cluster(Api(url=place.url))
    equal(sorted(cluster.get()), ["commit", "kafka_cluster_id", "version"])
    equal(cluster.version, "4.3.1")
    assert cluster.kafka_cluster
    equal(cluster.connectors, {})
    connector = Connector(cluster, place.name)
    # Its exists() cannot say no: the 404 comes out as an error.
    missing = fails(GenericNotFound, connector.exists)
    equal((missing.code, missing.details[0]["message"]), (404, f"Connector {place.name} not found"))

    connector.config = place.source()
    assert connector.exists()
    eventually("running", lambda: connector.state == "RUNNING" and connector.tasks and connector.tasks[0].is_running())
    equal(connector.connector_class, SOURCE)
    equal(list(cluster.connectors), [place.name])
    (task,) = connector.tasks
    equal((task.id, task.config["topic"]), (0, place.topic))
    equal(task.status["id"], 0)
    task.restart()
    connector.restart()
    connector.restart_all_tasks()
    eventually("running", lambda: connector.tasks[0].is_running())
    connector.pause()
    eventually("paused", lambda: connector.state == "PAUSED")
    connector.resume()
    eventually("resumed", lambda: connector.state == "RUNNING")
    connector.cycle_connector()
    eventually("cycled", lambda: connector.state == "RUNNING" and connector.tasks[0].is_running())
    connector.config = place.source(topic=f"{place.topic}-2")
    eventually("changed", lambda: connector.tasks[0].config["topic"] == f"{place.topic}-2")

    invalid = fails(ConnectGenericException, lambda: setattr(connector, "config", place.source(**{"tasks.max": "none"})))
    equal(invalid.code, 400)
    holds(str(invalid.details), "tasks.max", "Not a number of type INT")
    fails(GenericNotFound, Connector(cluster, "nobody").restart)

    cluster.root_logger = "DEBUG"
    equal(cluster.root_logger["level"], "DEBUG")
    named = next(name for name in cluster.loggers if name.startswith("org.apache.kafka"))
    holds(cluster.set_logger_log_level(named, "TRACE"), named)
    cluster.root_logger = "WARN"

    connector.delete()
    equal(cluster.connectors, {})


def kafka_connect_py(place):
    client = KafkaConnect(place.url)
    status_of = lambda error: error.response.status_code  # noqa: E731
    assert client.get_cluster_info()["kafka_cluster_id"]
    equal(client.list_connectors(), [])
    plugins = {plugin["class"]: plugin for plugin in client.list_connector_plugins()}
    equal(plugins[SINK], {"class": SINK, "type": "sink", "version": "4.3.1"})

    checked = client.validate_connector_config("FileStreamSource", place.source(name=place.name))
    equal((checked["name"], checked["error_count"]), (SOURCE, 0))
    wrong = client.validate_connector_config("FileStreamSource", place.source(name=place.name, **{"batch.size": "x"}))
    errors = {entry["value"]["name"]: entry["value"]["errors"] for entry in wrong["configs"]}
    equal((wrong["error_count"], len(errors["batch.size"])), (1, 1))

    made = client.create_connector({"name": place.name, "config": place.source()})
    equal((made["name"], made["type"], made["tasks"]), (place.name, "source", []))
    again = fails(requests.HTTPError, lambda: client.create_connector({"name": place.name, "config": place.source()}))
    equal(status_of(again), 409)

    def running(tasks=1):
        status = client.get_connector_status(place.name)
        states = [status["connector"]["state"], *(task["state"] for task in status["tasks"])]
        return states == ["RUNNING"] * (tasks + 1)

    eventually("running", running)
    equal(client.list_connectors(pattern="nobody"), [])
    equal(client.list_connectors(state="running"), [place.name])
    equal(client.list_connectors(expand="info")[place.name]["info"]["config"]["topic"], place.topic)
    equal(client.list_connectors(expand="status", state="RUNNING")[place.name]["status"]["type"], "source")
    equal(client.list_connectors(expand="status", state="PAUSED"), {})
    equal(client.get_connector(place.name)["tasks"], [{"connector": place.name, "task": 0}])
    equal(client.get_connector_config(place.name)["file"], place.path("input"))
    equal(client.list_connector_tasks(place.name)[0]["id"], {"connector": place.name, "task": 0})
    equal(client.get_connector_task_status(place.name, 0)["state"], "RUNNING")
    eventually("topics", lambda: client.list_connector_topics(place.name) == {place.name: {"topics": [place.topic]}})
    client.reset_connector_topics(place.name)

    # It writes the flags as Python does: includeTasks=True&onlyFailed=False.
    equal(client.restart_connector(place.name), None)
    eventually("restarted", running)
    equal(client.restart_connector(place.name, include_tasks=True)["connector"]["state"], "RESTARTING")
    eventually("restarted with tasks", running)
    plan = client.restart_connector(place.name, include_tasks=True, only_failed=True)
    equal([plan["connector"]["state"], plan["tasks"][0]["state"]], ["RUNNING", "RUNNING"])
    client.restart_connector_task(place.name, 0)
    client.restart_all_connectors(include_tasks=True)
    eventually("all restarted", running)

    client.pause_connector(place.name)
    eventually("paused", lambda: client.list_connectors(state="PAUSED") == [place.name])
    client.resume_connector(place.name)
    eventually("resumed", running)
    client.pause_all_connectors(pattern=place.name)
    eventually("paused", lambda: client.list_connectors(state="PAUSED") == [place.name])
    client.resume_all_connectors(state="PAUSED")
    eventually("resumed", running)
    client.stop_connector(place.name)
    eventually("stopped", lambda: client.get_connector_status(place.name)["connector"]["state"] == "STOPPED")
    eventually("no tasks", lambda: client.get_connector_status(place.name)["tasks"] == [])
    client.resume_connector(place.name)
    eventually("resumed", running)
    updated = client.update_connector(place.name, place.source(**{"batch.size": 7}))
    equal(updated["config"]["batch.size"], "7")
    client.stop_all_connectors()

    for action in (
        lambda: client.get_connector("nobody"),
        lambda: client.get_connector_status("nobody"),
        lambda: client.pause_connector("nobody"),
        lambda: client.get_connector_task_status(place.name, 99),
    ):
        equal(status_of(fails(requests.HTTPError, action)), 404)
    holds(str(fails(requests.HTTPError, lambda: client.restart_connector("nobody"))), "Unknown connector: nobody")
    client.delete_connector(place.name)
    client.delete_all_connectors(pattern=".*")
    equal(client.list_connectors(), [])


def kafkaconnect(place):
    client = Connect(place.url)
    equal(json.loads(client.list()), [])
    holds(client.plugins(), SOURCE, SINK)
    wrong = place.sink(name=place.name, **{"errors.tolerance": "some"})
    refused = json.loads(client.validate_and_create(place.name, json.dumps(wrong)))
    equal((refused["name"], refused["error_count"]), (SINK, 1))
    made = json.loads(client.validate_and_create(place.name, json.dumps(place.sink(name=place.name))))
    equal((made["name"], made["type"]), (place.name, "sink"))
    read = lambda text: json.loads(text)  # noqa: E731
    state = lambda: read(client.status(place.name))["connector"]["state"]  # noqa: E731
    eventually("running", lambda: state() == "RUNNING" and read(client.status(place.name))["tasks"])
    equal(read(client.info(place.name))["config"], {**place.sink(), "name": place.name})
    equal(read(client.config(place.name)), {**place.sink(), "name": place.name})
    equal(len(read(client.tasks(place.name))), 1)
    equal(read(client.topics(place.name)), {place.name: {"topics": []}})
    changed = client.create_or_update(place.name, json.dumps(place.sink(**{"tasks.max": "2"})))
    equal(read(changed)["config"]["tasks.max"], "2")
    eventually("two tasks", lambda: len(read(client.status(place.name))["tasks"]) == 2)
    for action, result in ((client.pause, "PAUSED"), (client.resume, "RUNNING"), (client.restart, "RUNNING")):
        equal(action(place.name), "")
        eventually(result, lambda: state() == result)  # noqa: B023
    holds(client.info("nobody"), "connectors/nobody not found")
    equal(client.remove(place.name), "")
    equal(read(client.list()), [])


def connect_helper(place):
    """What deployments in pipelines do: put, wait until healthy, compare."""
    helper = ConnectHelper(requests.Session(), place.url)
    helper.connector.name = place.name
    equal(helper.get_connectors().json(), [])
    equal(helper.connector.put(place.source()).status_code, 201)
    helper.connector.poll_status(backoff_seconds=0.2, initial_sleep_seconds=0)
    equal(helper.connector.get_remote_config().json()["config"], {**place.source(), "name": place.name})
    equal(helper.connector.put(place.source(**{"batch.size": "5"})).status_code, 200)
    equal(helper.connector.get_status().json()["name"], place.name)
    equal(helper.connector.delete().status_code, 204)
    equal(fails(requests.HTTPError, helper.connector.get_remote_config).response.status_code, 404)


def health(place):
    """The side car of containers: one bad task makes its worker unhealthy."""

    def check(containers=("CONNECTOR", "TASK"), worker=None):
        return Health(place.url, worker, ["FAILED"], "", 0, list(containers)).get_health_result()

    equal(check()["healthy"], True)
    requests.put(f"{place.url}/connectors/{place.name}/config", json=place.source(), timeout=60).raise_for_status()
    eventually("running", lambda: check()["failure_rate"] == 0.0 and check()["healthy"])
    requests.put(f"{place.url}/connectors/{place.name}-bad/config", json=place.failing(), timeout=60).raise_for_status()
    bad = eventually("unhealthy", lambda: next(iter(check()["failures"]), None))
    equal((bad["type"], bad["connector"], bad["id"], bad["state"]), ("task", f"{place.name}-bad", 0, "FAILED"))
    holds(bad["trace"], "org.apache.kafka.connect.errors.ConnectException", "Caused by")
    equal(check()["healthy"], False)
    equal(check(containers=["CONNECTOR"])["healthy"], True)
    equal(check(worker="elsewhere:8083")["healthy"], True)
    for name in (place.name, f"{place.name}-bad"):
        requests.delete(f"{place.url}/connectors/{name}", timeout=60).raise_for_status()


main(
    {
        "kafka_connect_api": kafka_connect_api,
        "kafka_connect_py": kafka_connect_py,
        "kafkaconnect": kafkaconnect,
        "connect_helper": connect_helper,
        "health": health,
    }
)
