// Records random rounds of Apache's incremental assignor, for the test that compares ours with it.
// Usage: java -cp 'KAFKA/libs/*:OUT' org.apache.kafka.connect.runtime.distributed.RecordRounds SEED SCENARIOS ROUNDS > rounds.txt
package org.apache.kafka.connect.runtime.distributed;

import java.lang.reflect.Proxy;
import java.util.*;
import org.apache.kafka.common.utils.LogContext;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.connect.runtime.distributed.WorkerCoordinator.ConnectorsAndTasks;
import org.apache.kafka.connect.storage.ClusterConfigState;
import org.apache.kafka.connect.util.ConnectorTaskId;

public final class RecordRounds {
    // Ids of one letter: a HashSet of up to fifteen of them is in order, so that what Java leaves open is in order too.
    static final String MEMBERS = "abcdefghijk";
    static final int[] DELAYS = {0, 1, 50, 10_000, 300_000};

    static final class Held {
        final TreeSet<String> connectors = new TreeSet<>();
        final TreeSet<ConnectorTaskId> tasks = new TreeSet<>();

        boolean isEmpty() {
            return connectors.isEmpty() && tasks.isEmpty();
        }
    }

    final Random random;
    final TreeMap<String, Held> members = new TreeMap<>();
    final TreeMap<String, Integer> configured = new TreeMap<>();
    long now = 1_000_000;
    int generation = 0;
    int lastCompleted = -1;
    int nextConnector = 0;

    RecordRounds(Random random) {
        this.random = random;
    }

    public static void main(String[] args) {
        Random random = new Random(Long.parseLong(args[0]));
        for (int scenario = 0; scenario < Integer.parseInt(args[1]); scenario++) {
            new RecordRounds(new Random(random.nextLong())).run(Integer.parseInt(args[2]));
        }
    }

    void run(int rounds) {
        int maxDelay = DELAYS[random.nextInt(DELAYS.length)];
        System.out.println("scenario " + maxDelay);
        Time time = (Time) Proxy.newProxyInstance(Time.class.getClassLoader(), new Class<?>[] {Time.class},
            (proxy, method, given) -> {
                if (method.getName().equals("milliseconds")) return now;
                throw new UnsupportedOperationException(method.getName());
            });
        IncrementalCooperativeAssignor assignor = new IncrementalCooperativeAssignor(new LogContext(), time, maxDelay);
        for (int member = random.nextInt(4); member >= 0; member--) join();
        for (int connector = random.nextInt(4); connector > 0; connector--) configured.put("c" + nextConnector++, random.nextInt(7));
        for (int round = 0; round < rounds; round++) {
            int changes = random.nextInt(4) - 1;
            for (int change = 0; change < changes; change++) change(maxDelay);
            round(assignor);
        }
    }

    void join() {
        for (char id : MEMBERS.toCharArray()) {
            String member = String.valueOf(id);
            if (!members.containsKey(member)) {
                members.put(member, new Held());
                return;
            }
        }
    }

    void change(int maxDelay) {
        switch (random.nextInt(10)) {
            case 0, 1 -> join();
            case 2 -> {
                if (members.size() > 1) members.remove(anyOf(members.keySet()));
            }
            case 3, 4 -> configured.put("c" + nextConnector++, random.nextInt(7));
            case 5 -> {
                if (!configured.isEmpty()) configured.remove(anyOf(configured.keySet()));
            }
            case 6 -> {
                if (!configured.isEmpty()) configured.put(anyOf(configured.keySet()), random.nextInt(9));
            }
            case 7 -> now += random.nextInt(Math.max(1, maxDelay));
            case 8 -> now += maxDelay;
            // A member that comes back with what another has by now.
            case 9 -> {
                Held from = members.get(anyOf(members.keySet()));
                Held to = members.get(anyOf(members.keySet()));
                if (random.nextInt(4) == 0 && !from.tasks.isEmpty()) to.tasks.add(from.tasks.first());
                if (random.nextInt(4) == 0 && !from.connectors.isEmpty()) to.connectors.add(from.connectors.first());
            }
        }
    }

    String anyOf(Set<String> names) {
        return new ArrayList<>(names).get(random.nextInt(names.size()));
    }

    void round(IncrementalCooperativeAssignor assignor) {
        generation++;
        now += random.nextInt(5);
        System.out.println("round " + generation + " " + lastCompleted + " " + now);
        TreeSet<ConnectorTaskId> tasks = new TreeSet<>();
        configured.forEach((name, count) -> {
            for (int task = 0; task < count; task++) tasks.add(new ConnectorTaskId(name, task));
        });
        print("configured", "-", configured.keySet(), tasks);
        TreeMap<String, ConnectorsAndTasks> owned = new TreeMap<>();
        members.forEach((member, held) -> {
            print("member", member, held.connectors, held.tasks);
            owned.put(member, new ConnectorsAndTasks.Builder().with(held.connectors, held.tasks).build());
        });
        var shares = assignor.performTaskAssignment(state(), lastCompleted, generation, owned);
        members.forEach((member, held) -> {
            var starts = new TreeSet<>(shares.newlyAssignedConnectors(member));
            var startsTasks = new TreeSet<>(shares.newlyAssignedTasks(member));
            var stops = new TreeSet<>(shares.newlyRevokedConnectors(member));
            var stopsTasks = new TreeSet<>(shares.newlyRevokedTasks(member));
            var keeps = new TreeSet<>(shares.allAssignedConnectors().getOrDefault(member, List.of()));
            var keepsTasks = new TreeSet<>(shares.allAssignedTasks().getOrDefault(member, List.of()));
            print("assigned", member, starts, startsTasks);
            print("revoked", member, stops, stopsTasks);
            print("owned", member, keeps, keepsTasks);
            // Now and then a member does not get its assignment, or does not stop what it should.
            if (random.nextInt(25) == 0) return;
            if (random.nextInt(25) != 0) {
                held.connectors.removeAll(stops);
                held.tasks.removeAll(stopsTasks);
            }
            held.connectors.addAll(starts);
            held.tasks.addAll(startsTasks);
        });
        System.out.println("delay " + assignor.delay);
        // Now and then the leader itself does not get to the end of the round.
        if (random.nextInt(25) != 0) lastCompleted = generation;
    }

    ClusterConfigState state() {
        Map<String, Map<String, String>> configs = new HashMap<>();
        configured.keySet().forEach(name -> configs.put(name, Map.of()));
        return new ClusterConfigState(generation, null, configured, configs, Map.of(), Map.of(), Map.of(), Map.of(), Map.of(),
            Set.of(), Set.of());
    }

    static void print(String what, String who, Collection<String> connectors, Collection<ConnectorTaskId> tasks) {
        if (!what.equals("member") && !what.equals("configured") && connectors.isEmpty() && tasks.isEmpty()) return;
        StringJoiner line = new StringJoiner(" ").add(what).add(who);
        connectors.forEach(line::add);
        tasks.forEach(task -> line.add(task.toString()));
        System.out.println(line);
    }
}
