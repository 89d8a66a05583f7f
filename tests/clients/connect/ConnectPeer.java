// Connect's REST API through org.sourcelab's kafka-connect-client, in the version and the order of AKHQ.
//
// Run as `java -cp LIBRARIES ConnectPeer.java URL FOLDER`. It ends with an error at the first answer that is not understood,
// or is understood otherwise than it should.

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import org.sourcelab.kafka.connect.apiclient.Configuration;
import org.sourcelab.kafka.connect.apiclient.KafkaConnectClient;
import org.sourcelab.kafka.connect.apiclient.request.dto.ConnectorDefinition;
import org.sourcelab.kafka.connect.apiclient.request.dto.ConnectorPlugin;
import org.sourcelab.kafka.connect.apiclient.request.dto.ConnectorPluginConfigDefinition;
import org.sourcelab.kafka.connect.apiclient.request.dto.ConnectorPluginConfigValidationResults;
import org.sourcelab.kafka.connect.apiclient.request.dto.ConnectorStatus;
import org.sourcelab.kafka.connect.apiclient.request.dto.ConnectorsWithExpandedMetadata;
import org.sourcelab.kafka.connect.apiclient.request.dto.NewConnectorDefinition;
import org.sourcelab.kafka.connect.apiclient.request.dto.Task;
import org.sourcelab.kafka.connect.apiclient.request.post.PostConnectorRestart;
import org.sourcelab.kafka.connect.apiclient.rest.exceptions.InvalidRequestException;
import org.sourcelab.kafka.connect.apiclient.rest.exceptions.ResourceNotFoundException;

public final class ConnectPeer {
    private static final String SOURCE = "org.apache.kafka.connect.file.FileStreamSourceConnector";
    private static final String SINK = "org.apache.kafka.connect.file.FileStreamSinkConnector";
    private static final String TOPIC = "of-akhq-topic";

    private final KafkaConnectClient client;
    private final Path folder;

    private ConnectPeer(String url, Path folder) throws Exception {
        client = new KafkaConnectClient(new Configuration(url));
        this.folder = folder;
        Files.writeString(folder.resolve("of-akhq-input"), "one\ntwo\nthree\n");
    }

    public static void main(String[] arguments) throws Exception {
        ConnectPeer peer = new ConnectPeer(arguments[0], Path.of(arguments[1]));
        peer.pluginsAsForms();
        String name = "of akhq";
        peer.life(name);
        peer.failure("of-akhq-bad");
        peer.remove(name);
        System.out.println("akhq: all understood");
    }

    /** AKHQ asks for every plugin and validates a config that names its class alone, for the settings of its forms. */
    private void pluginsAsForms() {
        equal("4.3.1", client.getConnectServerVersion().getVersion());
        Collection<ConnectorPlugin> plugins = client.getConnectorPlugins();
        check(plugins.stream().map(ConnectorPlugin::getClassName).toList().containsAll(List.of(SOURCE, SINK)), "both");
        for (ConnectorPlugin plugin : plugins) {
            Map<String, String> config = Map.of("connector.class", plugin.getClassName(), "topics", "getPlugins");
            ConnectorPluginConfigValidationResults results = client.validateConnectorPluginConfig(
                new ConnectorPluginConfigDefinition(plugin.getClassName(), config));
            equal(plugin.getClassName(), results.getName());
            for (ConnectorPluginConfigValidationResults.Config one : results.getConfigs()) {
                ConnectorPluginConfigValidationResults.Config.Definition definition = one.getDefinition();
                equal(definition.getName(), one.getValue().getName());
                check(definition.getDependents() != null && definition.getType() != null, "dependents and type");
                check(definition.getDisplayName() != null && definition.getImportance() != null, "texts of a form");
                check(one.getValue().getErrors() != null, "errors");
            }
        }
    }

    private void life(String name) throws Exception {
        ConnectorDefinition made = client.addConnector(new NewConnectorDefinition(name, source()));
        equal(List.of(name, "source", 0), List.of(made.getName(), made.getType(), made.getTasks().size()));
        equal(409, refused(() -> client.addConnector(new NewConnectorDefinition(name, source()))).getErrorCode());
        eventually("running", () -> is(name, "RUNNING"));
        equal(List.of(name), List.copyOf(client.getConnectors()));
        ConnectorsWithExpandedMetadata all = client.getConnectorsWithAllExpandedMetadata();
        equal(TOPIC, all.getDefinitionForConnector(name).getConfig().get("topic"));
        equal("RUNNING", all.getStatusForConnector(name).getConnector().get("state"));
        equal(1, client.getConnectorsWithExpandedStatus().getAllStatuses().size());
        equal(1, client.getConnectorsWithExpandedInfo().getAllDefinitions().size());
        equal(0, client.getConnector(name).getTasks().get(0).getTask());
        Map<String, String> changed = source();
        changed.put("batch.size", "4");
        equal("4", client.updateConnectorConfig(name, changed).getConfig().get("batch.size"));
        equal("4", client.getConnectorConfig(name).get("batch.size"));
        Task task = client.getConnectorTasks(name).iterator().next();
        equal(List.of(name, 0, TOPIC), List.of(task.getId().getConnector(), task.getId().getTask(), task.getConfig().get("topic")));
        check(client.pauseConnector(name), "pause");
        eventually("paused", () -> is(name, "PAUSED"));
        check(client.resumeConnector(name), "resume");
        eventually("resumed", () -> is(name, "RUNNING"));
        check(client.stopConnector(name), "stop");
        eventually("stopped", () -> client.getConnectorStatus(name).getConnector().get("state").equals("STOPPED"));
        check(client.resumeConnector(name), "resume");
        eventually("resumed", () -> is(name, "RUNNING"));
        check(client.restartConnector(name), "restart");
        check(client.restartConnector(new PostConnectorRestart(name).withIncludeTasks(true).withOnlyFailed(false)), "with tasks");
        eventually("restarted", () -> is(name, "RUNNING"));
        check(client.restartConnectorTask(name, 0), "task");
        eventually("task", () -> client.getConnectorTaskStatus(name, 0).getState().equals("RUNNING"));
        eventually("topics", () -> client.getConnectorTopics(name).getTopics().equals(List.of(TOPIC)));
        check(client.resetConnectorTopics(name), "reset");
    }

    private void failure(String name) throws Exception {
        String file = folder.resolve("no/such/folder").toString();
        client.addConnector(new NewConnectorDefinition(name, new TreeMap<>(Map.of("connector.class", SINK, "file", file, "topics", TOPIC))));
        eventually("failed", () -> is(name, "FAILED"));
        ConnectorStatus status = client.getConnectorStatus(name);
        check(status.getTasks().get(0).getTrace().startsWith("org.apache.kafka.connect.errors.ConnectException"), "a trace");
        Map<String, String> wrong = source();
        wrong.put("tasks.max", "x");
        InvalidRequestException invalid = refused(() -> client.updateConnectorConfig(name, wrong));
        equal(400, invalid.getErrorCode());
        check(invalid.getMessage().contains("Not a number of type INT"), invalid.getMessage());
        remove(name);
    }

    private void remove(String name) throws Exception {
        check(client.deleteConnector(name), "delete");
        check(refused(() -> client.getConnector(name)) instanceof ResourceNotFoundException, "it is gone");
        check(refused(() -> client.deleteConnector(name)) instanceof ResourceNotFoundException, "it is gone");
    }

    private Map<String, String> source() {
        String file = folder.resolve("of-akhq-input").toString();
        return new TreeMap<>(Map.of("connector.class", SOURCE, "file", file, "topic", TOPIC, "tasks.max", "1"));
    }

    /** The connector is where a single task of it is; of a failed one only the task is. */
    private boolean is(String name, String state) {
        ConnectorStatus status = client.getConnectorStatus(name);
        boolean connector = state.equals("FAILED") || status.getConnector().get("state").equals(state);
        return connector && status.getTasks().size() == 1 && status.getTasks().get(0).getState().equals(state);
    }

    private static InvalidRequestException refused(Callable<?> action) throws Exception {
        try {
            throw new AssertionError("not refused: " + action.call());
        } catch (InvalidRequestException refusal) {
            return refusal;
        }
    }

    private static void eventually(String what, Callable<Boolean> condition) throws Exception {
        long end = System.nanoTime() + 60_000_000_000L;
        Exception last = null;
        while (System.nanoTime() < end) {
            try {
                if (condition.call()) {
                    return;
                }
            } catch (InvalidRequestException notYet) {
                last = notYet;
            }
            Thread.sleep(100);
        }
        throw new AssertionError(what + ": not within a minute", last);
    }

    private static void equal(Object expected, Object found) {
        check(Objects.equals(expected, found), found + " is not " + expected);
    }

    private static void check(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }
}
