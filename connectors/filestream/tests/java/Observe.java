// Runs the scripts of observed.txt on Apache Kafka's FileStream classes and prints them with what was seen.
//
// A script line is a step; a line that starts with "->" is an observation. Bytes are hexadecimal. The Rust test
// replays the same steps and compares the observations; old observations in the input are skipped. Made with Apache Kafka 4.3.1 and OpenJDK 17:
//
//   javac -cp 'libs/*:plugins/connect-file/*' -d out Observe.java
//   java -Dlog4j2.level=OFF -cp 'out:libs/*:plugins/connect-file/*' Observe observed.txt > again.txt

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.InputStream;
import java.io.PrintStream;
import java.io.RandomAccessFile;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.*;
import java.util.concurrent.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.config.ConfigValue;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaBuilder;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.file.*;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.source.SourceTaskContext;
import org.apache.kafka.connect.storage.OffsetStorageReader;

public class Observe {
    static final HexFormat HEX = HexFormat.of();
    static final PrintStream OUT = System.out;
    static final ExecutorService POOL = Executors.newCachedThreadPool(r -> {
        Thread t = new Thread(r);
        t.setDaemon(true);
        return t;
    });

    Path dir;
    Map<String, String> config;
    Map<String, Object> offset;
    FileStreamSourceTask source;
    FileStreamSinkTask sink;
    ByteArrayOutputStream stdout;

    public static void main(String[] args) throws Exception {
        Observe run = new Observe();
        for (String line : Files.readAllLines(Path.of(args[0]))) {
            if (line.startsWith("->")) continue;
            OUT.println(line);
            if (line.isBlank() || line.startsWith("#")) continue;
            int space = line.indexOf(' ');
            String step = space < 0 ? line : line.substring(0, space);
            run.step(step, space < 0 ? "" : line.substring(space + 1));
        }
        System.exit(0);
    }

    void see(String text) {
        OUT.println("-> " + text.replace(dir.toString(), "DIR"));
    }

    static String hex(String text) {
        return HEX.formatHex(text.getBytes(StandardCharsets.UTF_8));
    }

    Path file() {
        return dir.resolve("file");
    }

    void attempt(Callable<Object> what) {
        Future<Object> running = POOL.submit(what);
        try {
            Object result = running.get(4, TimeUnit.SECONDS);
            if (result != null) see(result.toString());
        } catch (TimeoutException e) {
            see("hangs");
        } catch (Exception e) {
            Throwable t = e instanceof ExecutionException ? e.getCause() : e;
            StringBuilder text = new StringBuilder("throws " + t.getClass().getName() + ": " + t.getMessage());
            for (Throwable c = t.getCause(); c != null; c = c.getCause())
                text.append(" | ").append(c.getClass().getName()).append(": ").append(c.getMessage());
            see(text.toString());
        }
    }

    void step(String step, String rest) throws Exception {
        switch (step) {
            case "case":
                dir = Files.createTempDirectory("observe");
                config = new LinkedHashMap<>(Map.of());
                offset = null;
                source = null;
                sink = null;
                break;
            case "config": {
                String[] kv = rest.split("=", 2);
                config.put(kv[0], kv[1].replace("DIR", dir.toString()));
                break;
            }
            case "write": Files.write(file(), HEX.parseHex(rest)); break;
            case "append": Files.write(file(), HEX.parseHex(rest), StandardOpenOption.APPEND, StandardOpenOption.CREATE); break;
            case "repeat": {
                String[] nh = rest.split(" ");
                ByteArrayOutputStream all = new ByteArrayOutputStream();
                for (int i = 0; i < Integer.parseInt(nh[0]); i++) all.write(HEX.parseHex(nh[1]));
                Files.write(file(), all.toByteArray(), StandardOpenOption.APPEND, StandardOpenOption.CREATE);
                break;
            }
            case "write-products": Files.write(file(), products()); break;
            case "write-random": {
                String[] sn = rest.split(" ");
                Files.write(file(), random(Long.parseLong(sn[0]), Integer.parseInt(sn[1])));
                break;
            }
            case "digest": attempt(this::digest); break;
            case "truncate":
                try (RandomAccessFile f = new RandomAccessFile(file().toFile(), "rw")) { f.setLength(Long.parseLong(rest)); }
                break;
            case "rotate": Files.move(file(), dir.resolve("old")); break;
            case "delete": Files.delete(file()); break;
            case "mkdir": Files.createDirectory(file()); break;
            case "stdin": System.setIn(new ByteArrayInputStream(HEX.parseHex(rest))); break;
            case "stored-int": offset = Map.of("position", Integer.parseInt(rest)); break;
            case "stored-text": offset = Map.of("position", rest); break;
            case "stored-null": offset = Collections.singletonMap("position", null); break;
            case "stored": offset = Map.of("position", Long.parseLong(rest)); break;
            case "start": attempt(() -> { startSource(); return null; }); break;
            case "poll": attempt(this::poll); break;
            case "stop": attempt(() -> { source.stop(); return null; }); break;
            case "validate": validate(new FileStreamSourceConnector().config()); break;
            case "validate-sink": validate(new FileStreamSinkConnector().config()); break;
            case "connector": attempt(this::connector); break;
            case "connector-sink": attempt(this::connectorSink); break;
            case "exactly-once": attempt(() -> new FileStreamSourceConnector().exactlyOnceSupport(config)); break;
            case "alter": attempt(() -> alter(rest)); break;
            case "alter-sink": attempt(() -> new FileStreamSinkConnector().alterOffsets(config, Map.of(new TopicPartition("t", 0), 5L))); break;
            case "start-sink": attempt(() -> { startSink(); return null; }); break;
            case "put": attempt(() -> { put(rest); return null; }); break;
            case "flush": attempt(() -> { sink.flush(Map.of()); return null; }); break;
            case "stop-sink": attempt(() -> { sink.stop(); return null; }); break;
            case "cat": see("file " + HEX.formatHex(Files.readAllBytes(file()))); break;
            case "stdout": see("stdout " + HEX.formatHex(stdout.toByteArray())); break;
            case "defs": defs("source", new FileStreamSourceConnector().config()); defs("sink", new FileStreamSinkConnector().config()); break;
            default: throw new IllegalArgumentException(step);
        }
    }

    void startSource() {
        source = new FileStreamSourceTask();
        OffsetStorageReader reader = (OffsetStorageReader) Proxy.newProxyInstance(Observe.class.getClassLoader(),
            new Class<?>[] {OffsetStorageReader.class}, (p, m, a) -> offset);
        source.initialize((SourceTaskContext) Proxy.newProxyInstance(Observe.class.getClassLoader(),
            new Class<?>[] {SourceTaskContext.class}, (p, m, a) -> m.getName().equals("offsetStorageReader") ? reader : null));
        source.start(config);
    }

    Object poll() throws Exception {
        List<SourceRecord> records = source.poll();
        if (records == null) return "null";
        see("records " + records.size());
        for (int i = 0; i < records.size(); i++) {
            if (records.size() > 12 && i >= 3 && i < records.size() - 3) continue;
            SourceRecord r = records.get(i);
            String value = hex((String) r.value());
            see(r.sourcePartition() + " " + r.sourceOffset() + " topic=" + r.topic() + " partition=" + r.kafkaPartition()
                + " key=" + r.key() + " key-schema=" + r.keySchema() + " schema=" + r.valueSchema().type()
                + " timestamp=" + (r.timestamp() != null) + " value="
                + (value.length() > 200 ? value.substring(0, 40) + "..." + value.length() / 2 : value));
        }
        return null;
    }

    // Bytes that stand for every class of byte a UTF-8 decoder tells apart.
    static final int[] BYTES = {0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xed, 0xee,
        0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf8, 0xfc, 0xff};

    // A line for each sequence of one, two and three of them, and of four after a byte that can lead four.
    static byte[] products() {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        for (int a : BYTES) {
            line(all, a);
            for (int b : BYTES) {
                line(all, a, b);
                for (int c : BYTES) {
                    line(all, a, b, c);
                    if (a >= 0xf0)
                        for (int d : BYTES) line(all, a, b, c, d);
                }
            }
        }
        return all.toByteArray();
    }

    static void line(ByteArrayOutputStream all, int... bytes) {
        for (int each : bytes) all.write(each);
        all.write('\n');
    }

    // The same bytes, letters, line feeds and carriage returns in an order drawn from a seed.
    static byte[] random(long seed, int length) {
        byte[] all = new byte[length];
        for (int i = 0; i < length; i++) {
            seed = seed * 6364136223846793005L + 1442695040888963407L;
            int pick = (int) ((seed >>> 33) % 64);
            all[i] = (byte) (pick < BYTES.length ? BYTES[pick] : pick < 30 ? '\n' : pick < 33 ? '\r' : 'a' + pick % 26);
        }
        return all;
    }

    // FNV-1a over the values of all records that come until a poll finds nothing, each followed by a zero byte.
    Object digest() throws Exception {
        long hash = 0xcbf29ce484222325L;
        int count = 0;
        for (List<SourceRecord> records = source.poll(); records != null; records = source.poll())
            for (SourceRecord record : records) {
                count++;
                for (byte b : ((String) record.value() + "\0").getBytes(StandardCharsets.UTF_8))
                    hash = (hash ^ (b & 0xff)) * 0x100000001b3L;
            }
        return "digest " + count + " " + Long.toHexString(hash);
    }

    void validate(ConfigDef def) {
        for (ConfigValue v : def.validate(config))
            see(v.name() + " = " + v.value() + " errors " + v.errorMessages() + " visible " + v.visible() + " recommended " + v.recommendedValues());
    }

    void defs(String kind, ConfigDef def) {
        for (ConfigDef.ConfigKey k : new TreeMap<>(def.configKeys()).values())
            see(kind + " " + k.name + " " + k.type + " default=" + (k.defaultValue == ConfigDef.NO_DEFAULT_VALUE ? "none" : k.defaultValue) + " required=" + (k.defaultValue == ConfigDef.NO_DEFAULT_VALUE)
                + " " + k.importance + " group=" + k.group + " order=" + k.orderInGroup + " width=" + k.width + " display=" + k.displayName
                + " validator=" + k.validator + " doc=" + k.documentation);
    }

    Object connector() {
        FileStreamSourceConnector c = new FileStreamSourceConnector();
        c.start(config);
        return c.taskClass().getName() + " " + c.taskConfigs(3);
    }

    Object connectorSink() {
        FileStreamSinkConnector c = new FileStreamSinkConnector();
        c.start(config);
        return c.taskClass().getName() + " " + c.taskConfigs(3);
    }

    static Object parse(String text) {
        if (text.equals("null")) return null;
        if (text.startsWith("long:")) return Long.parseLong(text.substring(5));
        if (text.startsWith("int:")) return Integer.parseInt(text.substring(4));
        if (text.startsWith("double:")) return Double.parseDouble(text.substring(7));
        return text;
    }

    static Map<String, ?> map(String text) {
        if (text.equals("null")) return null;
        Map<String, Object> map = new HashMap<>();
        if (text.equals("{}")) return map;
        String[] kv = text.split("=", 2);
        map.put(kv[0], parse(kv[1]));
        return map;
    }

    // "partition offset", each as KEY=VALUE, {} or null
    Object alter(String rest) {
        String[] both = rest.split(" ");
        Map<Map<String, ?>, Map<String, ?>> offsets = new HashMap<>();
        offsets.put(map(both[0]), map(both[1]));
        return new FileStreamSourceConnector().alterOffsets(config, offsets);
    }

    void startSink() {
        stdout = new ByteArrayOutputStream();
        System.setOut(new PrintStream(stdout, true, StandardCharsets.UTF_8));
        sink = new FileStreamSinkTask();
        try {
            sink.start(config);
        } finally {
            System.setOut(OUT);
        }
    }

    void put(String rest) {
        List<SinkRecord> records = new ArrayList<>();
        for (String each : rest.isEmpty() ? new String[0] : rest.split(" "))
            records.add(new SinkRecord("t", 0, null, null, null, value(each), records.size()));
        sink.put(records);
    }

    static Object value(String text) {
        String[] kv = text.split(":", 2);
        switch (kv[0]) {
            case "null": return null;
            case "text": return new String(HEX.parseHex(kv[1]), StandardCharsets.UTF_8);
            case "int": return Integer.parseInt(kv[1]);
            case "long": return Long.parseLong(kv[1]);
            case "float": return Float.parseFloat(kv[1]);
            case "double": return Double.parseDouble(kv[1]);
            case "bool": return Boolean.parseBoolean(kv[1]);
            case "list": return List.of(1, 2, "x");
            case "map": return Map.of("k", 1);
            case "struct": {
                Schema s = SchemaBuilder.struct().field("a", Schema.INT32_SCHEMA).field("b", Schema.OPTIONAL_STRING_SCHEMA).field("c", Schema.OPTIONAL_STRING_SCHEMA).build();
                return new Struct(s).put("a", 1).put("b", "x y");
            }
            default: throw new IllegalArgumentException(text);
        }
    }
}
