package main

import (
	"context"
	"errors"

	connect "github.com/cloudhut/connect-client"
)

// console does what Redpanda Console does: it tests the connection, lists, describes, validates and changes.
func console(p place) {
	ctx := context.Background()
	client := connect.NewClient(connect.WithHost(p.url), connect.WithUserAgent("Redpanda Console"))
	root, err := client.GetRoot(ctx)
	must(err)
	equal(root.Version, "4.3.1")
	plugins, err := client.GetConnectorPlugins(ctx)
	must(err)
	found := map[string]string{}
	for _, plugin := range plugins {
		found[plugin.Class] = plugin.Type
	}
	equal([]string{found[sourceClass], found[sinkClass]}, []string{"source", "sink"})
	consoleValidates(ctx, client, p)

	made, err := client.CreateConnector(ctx, connect.CreateConnectorRequest{Name: p.name, Config: anything(p.source())})
	must(err)
	equal([]string{made.Name, made.Type, made.Config["topic"]}, []string{p.name, "source", p.topic})
	_, err = client.CreateConnector(ctx, connect.CreateConnectorRequest{Name: p.name, Config: anything(p.source())})
	equal(refusal(err), connect.ApiError{ErrorCode: 409, Message: "Connector " + p.name + " already exists"})
	in := func(state string) func() (bool, error) {
		return func() (bool, error) {
			status, err := client.GetConnectorStatus(ctx, p.name)
			return status.Connector.State == state && (state == "STOPPED" || len(status.Tasks) == 1 && status.Tasks[0].State == state), err
		}
	}
	eventually("running", in("RUNNING"))
	names, err := client.ListConnectors(ctx)
	must(err)
	equal(names, []string{p.name})
	expanded, err := client.ListConnectorsExpanded(ctx)
	must(err)
	one := expanded[p.name]
	equal(one.Info.Tasks, []connect.ConnectorTaskID{{Connector: p.name, Task: 0}})
	equal([]string{one.Status.Connector.State, one.Status.Tasks[0].State, one.Status.Type}, []string{"RUNNING", "RUNNING", "source"})

	_, err = client.PutConnectorConfig(ctx, p.name, connect.PutConnectorConfigOptions{Config: anything(p.source("batch.size", "5"))})
	must(err)
	config, err := client.GetConnectorConfig(ctx, p.name)
	must(err)
	equal(config, p.source("batch.size", "5", "name", p.name))
	info, err := client.GetConnector(ctx, p.name)
	must(err)
	equal(info.Config, config)

	// It waits for the state that a button asks for.
	for _, step := range []struct {
		state string
		act   func(context.Context, string) error
	}{
		{"PAUSED", client.PauseConnector},
		{"RUNNING", client.ResumeConnector},
		{"STOPPED", client.StopConnector},
		{"RUNNING", client.ResumeConnector},
	} {
		must(step.act(ctx, p.name))
		eventually(step.state, in(step.state))
	}
	must(client.RestartConnector(ctx, p.name, connect.RestartConnectorOptions{}))
	must(client.RestartConnector(ctx, p.name, connect.RestartConnectorOptions{IncludeTasks: true, OnlyFailed: true}))
	must(client.RestartConnectorTask(ctx, p.name, 0))
	eventually("running", in("RUNNING"))
	eventually("topics", func() (bool, error) {
		topics, err := client.GetConnectorTopics(ctx, p.name)
		return len(topics[p.name].Topics) == 1 && topics[p.name].Topics[0] == p.topic, err
	})
	must(client.ResetConnectorTopics(ctx, p.name))
	consoleSeesFailures(ctx, client, p)
	must(client.DeleteConnector(ctx, p.name))
	equal(refusal(client.DeleteConnector(ctx, p.name)), connect.ApiError{ErrorCode: 404, Message: "Connector " + p.name + " not found"})
}

// consoleValidates reads of each setting what Console's forms are made of.
func consoleValidates(ctx context.Context, client *connect.Client, p place) {
	validate := func(config map[string]string) connect.ConnectorValidationResult {
		result, err := client.PutValidateConnectorConfig(ctx, sourceClass, connect.ValidateConnectorConfigOptions{Config: anything(config)})
		must(err)
		return result
	}
	good := validate(p.source("name", p.name))
	equal([]interface{}{good.Name, good.ErrorCount}, []interface{}{sourceClass, 0})
	for _, config := range good.Configs {
		for _, text := range []string{"name", "type", "importance", "documentation", "width", "display_name"} {
			_ = config.Definition[text].(string)
		}
		_, _, _ = config.Definition["required"].(bool), config.Definition["order_in_group"].(float64), config.Definition["dependents"].([]interface{})
		_, _, _ = config.Value["errors"].([]interface{}), config.Value["recommended_values"].([]interface{}), config.Value["visible"].(bool)
	}
	bad := validate(p.source("name", p.name, "errors.tolerance", "some"))
	equal(bad.ErrorCount, 1)
}

// consoleSeesFailures reads the trace that Console shows.
func consoleSeesFailures(ctx context.Context, client *connect.Client, p place) {
	name := p.name + "-bad"
	_, err := client.PutConnectorConfig(ctx, name, connect.PutConnectorConfigOptions{Config: anything(p.failing())})
	must(err)
	var trace string
	eventually("failed", func() (bool, error) {
		status, err := client.GetConnectorStatus(ctx, name)
		if len(status.Tasks) == 1 {
			trace = status.Tasks[0].Trace
		}
		return trace != "", err
	})
	holds(trace, "org.apache.kafka.connect.errors.ConnectException: Couldn't find or create file")
	holds(trace, "\nCaused by: ")
	must(client.DeleteConnector(ctx, name))
}

func refusal(err error) connect.ApiError {
	var refused connect.ApiError
	if !errors.As(err, &refused) {
		panic(err)
	}
	return refused
}
