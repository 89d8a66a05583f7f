// Milliseconds and moves of Apache's incremental assignor: the same group and lines as assignor.rs beside it.
package org.apache.kafka.connect.runtime.distributed;

import java.util.*;
import org.apache.kafka.common.utils.LogContext;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.connect.runtime.distributed.WorkerCoordinator.ConnectorsAndTasks;
import org.apache.kafka.connect.storage.ClusterConfigState;
import org.apache.kafka.connect.util.ConnectorTaskId;

public final class AssignorBench {
    static final int WORKERS = 1_000;
    static final int CONNECTORS = 1_000;
    static final int TASKS = 100;

    final IncrementalCooperativeAssignor assignor = new IncrementalCooperativeAssignor(new LogContext(), Time.SYSTEM, 0);
    final Map<String, Integer> configured = new HashMap<>();
    final Map<String, Map<String, String>> configs = new HashMap<>();
    Map<String, ConnectorsAndTasks> members = new HashMap<>();
    int generation = 0;

    public static void main(String[] args) {
        AssignorBench group = new AssignorBench();
        for (int connector = 0; connector < CONNECTORS; connector++) {
            group.configured.put(String.format("c%04d", connector), TASKS);
            group.configs.put(String.format("c%04d", connector), Map.of());
        }
        for (int worker = 0; worker < WORKERS; worker++) group.members.put(String.format("w%04d", worker), work(List.of(), List.of()));
        group.settle("start");
        for (int worker = 0; worker < 5; worker++) {
            group.members.put("x" + worker, work(List.of(), List.of()));
            group.settle("join");
            group.members.remove(String.format("w%04d", worker));
            group.settle("leave");
        }
    }

    static ConnectorsAndTasks work(Collection<String> connectors, Collection<ConnectorTaskId> tasks) {
        return new ConnectorsAndTasks.Builder().with(connectors, tasks).build();
    }

    void settle(String step) {
        int rounds = 0;
        int moves = 0;
        long nanos = 0;
        boolean done = false;
        while (!done) {
            ClusterConfigState state = new ClusterConfigState(1, null, configured, configs, Map.of(), Map.of(), Map.of(), Map.of(), Map.of(),
                Set.of(), Set.of());
            long begun = System.nanoTime();
            var shares = assignor.performTaskAssignment(state, generation == 0 ? -1 : generation, generation + 1, members);
            nanos += System.nanoTime() - begun;
            generation++;
            rounds++;
            int revoked = shares.newlyRevokedTasks().values().stream().mapToInt(Collection::size).sum();
            int stopped = revoked + shares.newlyRevokedConnectors().values().stream().mapToInt(Collection::size).sum();
            moves += revoked;
            done = stopped == 0;
            Map<String, ConnectorsAndTasks> next = new HashMap<>();
            for (String member : members.keySet())
                next.put(member, work(shares.allAssignedConnectors().get(member), shares.allAssignedTasks().get(member)));
            members = next;
        }
        System.out.printf(Locale.ROOT, "%s %d %.1f %d%n", step, rounds, nanos / 1e6, moves);
    }
}
