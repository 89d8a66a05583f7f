package main

import (
	"fmt"
	"strings"

	kc "github.com/ricardo-ch/go-kafka-connect/v3/lib/connectors"
)

// terraform makes the calls of Mongey's provider in its order (create, read, update, read, import, delete), through the client
// library in the version that the provider names, and then calls the rest of that library.
func terraform(p place) {
	client := kc.NewClient(p.url)
	client.SetHeader("X-Of", "the provider's headers")
	me := kc.ConnectorRequest{Name: p.name}
	wanted := func(more ...string) kc.CreateConnectorRequest {
		config := anything(p.source(append([]string{"name", p.name}, more...)...))
		return kc.CreateConnectorRequest{ConnectorRequest: me, Config: config}
	}

	gone, err := client.GetConnector(me)
	must(err)
	equal(gone.Code, 404)
	made, err := client.CreateConnector(wanted(), true)
	must(err)
	equal([]interface{}{made.Code, made.Name, made.Config}, []interface{}{201, p.name, wanted().Config})
	read, err := client.GetConnector(me)
	must(err)
	equal(read.Config, wanted().Config)
	_, err = client.CreateConnector(kc.CreateConnectorRequest{ConnectorRequest: me, Config: anything(p.source("tasks.max", "x"))}, true)
	holds(err.Error(), "Not a number of type INT")
	// The second apply: what is stored must come back as it was given, or each plan would show a difference.
	changed, err := client.UpdateConnector(wanted("batch.size", "3"), true)
	must(err)
	equal([]interface{}{changed.Code, changed.Config["batch.size"]}, []interface{}{200, "3"})
	read, err = client.GetConnector(me)
	must(err)
	equal(read.Config, wanted("batch.size", "3").Config)
	sameAgain, err := client.IsUpToDate(p.name, wanted("batch.size", "3").Config)
	must(err)
	equal(sameAgain, true)

	terraformRest(client, p, me)
	_, err = client.DeleteConnector(me, true)
	must(err)
	_, err = client.DeleteConnector(me, false)
	holds(err.Error(), "404")
}

func terraformRest(client kc.HighLevelClient, p place, me kc.ConnectorRequest) {
	eventually("running", func() (bool, error) {
		status, err := client.GetConnectorStatus(me)
		return status.ConnectorStatus["state"] == "RUNNING" && len(status.TasksStatus) == 1 && status.TasksStatus[0].State == "RUNNING", err
	})
	_, err := client.PauseConnector(me, true)
	must(err)
	_, err = client.ResumeConnector(me, true)
	must(err)
	_, err = client.RestartConnector(me)
	must(err)
	all, err := client.GetAll()
	must(err)
	equal(all.Connectors, []string{p.name})
	tasks, err := client.GetAllTasks(me)
	must(err)
	equal([]interface{}{tasks.Tasks[0].ID, tasks.Tasks[0].Config["topic"]}, []interface{}{kc.TaskID{Connector: p.name}, p.topic})
	// Its GetTaskStatus reads no field of the answer; the code is all there is.
	status, err := client.GetTaskStatus(kc.TaskRequest{Connector: p.name})
	must(err)
	equal(status.Code, 200)
	_, err = client.RestartTask(kc.TaskRequest{Connector: p.name})
	must(err)
	_, err = client.RestartTask(kc.TaskRequest{Connector: p.name, TaskID: 7})
	holds(err.Error(), fmt.Sprintf("Unknown task: %s-7", p.name))
	// deploy is put, and nothing where the config is the same; several go out side by side.
	var several []kc.CreateConnectorRequest
	for _, name := range strings.Fields(p.name + "-a " + p.name + "-b " + p.name + "-c " + p.name + "-d") {
		several = append(several, kc.CreateConnectorRequest{ConnectorRequest: kc.ConnectorRequest{Name: name}, Config: anything(p.source())})
	}
	must(client.DeployMultipleConnector(several))
	must(client.DeployMultipleConnector(several))
	for _, one := range several {
		_, err = client.DeleteConnector(one.ConnectorRequest, true)
		must(err)
	}
}
