package main

import (
	"errors"
	"net/http"

	"github.com/go-kafka/connect"
)

// goKafka calls all that go-kafka/connect has.
func goKafka(p place) {
	client := connect.NewClient(p.url + "/")
	names, _, err := client.ListConnectors()
	must(err)
	equal(len(names), 0)
	status := func(expected int, response *http.Response, err error) {
		must(err)
		equal(response.StatusCode, expected)
	}
	connector := &connect.Connector{Name: p.name, Config: p.source()}
	response, err := client.CreateConnector(connector)
	status(http.StatusCreated, response, err)
	equal(connector.Config["name"], p.name)
	_, err = client.CreateConnector(&connect.Connector{Name: p.name, Config: p.source()})
	equal(codeOf(err), 409)
	in := func(state string) func() (bool, error) {
		return func() (bool, error) {
			status, _, err := client.GetConnectorStatus(p.name)
			return status.Connector.State == state && len(status.Tasks) == 1 && status.Tasks[0].State == state, err
		}
	}
	eventually("running", in("RUNNING"))
	found, _, err := client.GetConnector(p.name)
	must(err)
	equal(found.Tasks, []connect.TaskID{{ConnectorName: p.name, ID: 0}})
	config, _, err := client.GetConnectorConfig(p.name)
	must(err)
	equal(config, connect.ConnectorConfig(p.source("name", p.name)))
	tasks, _, err := client.GetConnectorTasks(p.name)
	must(err)
	equal(tasks[0].Config["file"], p.input)
	_, response, err = client.UpdateConnectorConfig(p.name, p.source("batch.size", "4"))
	status(http.StatusOK, response, err)
	_, response, err = client.UpdateConnectorConfig(p.name+"-2", p.source())
	status(http.StatusCreated, response, err)
	response, err = client.PauseConnector(p.name)
	status(http.StatusAccepted, response, err)
	eventually("paused", in("PAUSED"))
	response, err = client.ResumeConnector(p.name)
	status(http.StatusAccepted, response, err)
	eventually("resumed", in("RUNNING"))
	response, err = client.RestartConnector(p.name)
	status(http.StatusNoContent, response, err)
	_, _, err = client.GetConnector("nobody")
	equal(codeOf(err), 404)
	for _, name := range []string{p.name, p.name + "-2"} {
		response, err = client.DeleteConnector(name)
		status(http.StatusNoContent, response, err)
	}
}

func codeOf(err error) int {
	var refused connect.APIError
	if !errors.As(err, &refused) {
		panic(err)
	}
	return refused.Code
}
