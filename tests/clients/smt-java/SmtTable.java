// Runs Apache Kafka's own transformations and predicates over a table of records and prints what they answer, one JSON
// line a row. runtime/transforms/tests/java replays the lines; run.sh makes them anew.

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.connect.connector.ConnectRecord;
import org.apache.kafka.connect.data.ConnectSchema;
import org.apache.kafka.connect.data.Date;
import org.apache.kafka.connect.data.Decimal;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.data.SchemaBuilder;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.data.Time;
import org.apache.kafka.connect.data.Timestamp;
import org.apache.kafka.connect.header.ConnectHeaders;
import org.apache.kafka.connect.header.Header;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.transforms.Transformation;
import org.apache.kafka.connect.transforms.predicates.Predicate;

public class SmtTable {
    static final String PACKAGE = "org.apache.kafka.connect.transforms.";
    static final long MS = 1_577_934_245_678L;
    static final StringBuilder OUT = new StringBuilder();
    static int rows;

    /** A record to be, so that every row gets a fresh one. */
    record Input(String name, Schema keySchema, Object key, Schema valueSchema, Object value) {}

    public static void main(String[] args) throws Exception {
        Map<String, Input> inputs = inputs();
        for (String line : Cases.LINES.strip().split("\n")) {
            if (line.isBlank() || line.startsWith("#")) {
                continue;
            }
            String[] parts = line.strip().split(" \\|( |$)", -1);
            Map<String, String> config = new LinkedHashMap<>();
            for (String setting : parts[2].strip().split(" ; ")) {
                int at = setting.indexOf('=');
                if (at > 0) {
                    config.put(setting.substring(0, at).strip(), setting.substring(at + 1).strip().replace("\\_", " "));
                }
            }
            String[] names = parts[1].strip().equals("*") ? inputs.keySet().toArray(new String[0]) : parts[1].strip().split(" ");
            for (String name : names) {
                row(parts[0].strip(), config, name, inputs);
            }
        }
        System.out.print(OUT);
        System.err.println(rows + " rows");
    }

    static void row(String type, Map<String, String> config, String name, Map<String, Input> inputs) throws Exception {
        String[] flags = name.split("@");
        Input input = inputs.get(flags[0]);
        if (input == null) {
            throw new IllegalArgumentException("no input " + name);
        }
        boolean isSource = Arrays.asList(flags).contains("source");
        ConnectRecord<?> record = isSource ? source(input, flags) : sink(input, flags);
        StringBuilder line = new StringBuilder("{\"class\":").append(text(PACKAGE + type)).append(",\"config\":").append(strings(config));
        line.append(",\"kind\":").append(isSource ? "\"source\"" : "\"sink\"").append(",\"input\":").append(text(name));
        line.append(",\"record\":").append(record(record)).append(",\"expect\":");
        try {
            line.append(answer(type, config, record));
        } catch (Unset e) {
            line.append("{\"config_error\":").append(error(e.getCause())).append("}");
        } catch (Exception e) {
            line.append("{\"error\":").append(error(e)).append("}");
        }
        OUT.append(line).append("}\n");
        rows++;
    }

    /** A config that configure() refuses. */
    static class Unset extends Exception {
        Unset(Exception cause) {
            super(cause);
        }
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    static String answer(String type, Map<String, String> config, ConnectRecord record) throws Exception {
        Object plugin = Class.forName(PACKAGE + type).getDeclaredConstructor().newInstance();
        if (plugin instanceof Predicate predicate) {
            try {
                predicate.configure(config);
            } catch (Exception e) {
                throw new Unset(e);
            }
            return "{\"holds\":" + predicate.test(record) + "}";
        }
        Transformation transformation = (Transformation) plugin;
        try {
            transformation.configure(config);
        } catch (Exception e) {
            throw new Unset(e);
        }
        ConnectRecord result = transformation.apply(record);
        if (result == null) {
            return "{\"dropped\":true}";
        }
        // A struct that lacks a required field fails where it is converted, not here.
        try {
            if (result.value() instanceof Struct s) {
                s.validate();
            }
            if (result.key() instanceof Struct s) {
                s.validate();
            }
        } catch (Exception e) {
            return "{\"invalid\":" + error(e) + "}";
        }
        return "{\"record\":" + record(result) + "}";
    }

    static SinkRecord sink(Input input, String[] flags) {
        List<String> set = Arrays.asList(flags);
        Long timestamp = set.contains("notime") ? null : Long.valueOf(MS);
        ConnectHeaders headers = new ConnectHeaders();
        if (set.contains("headers")) {
            headers.addString("h1", "one").addInt("h2", 2).add("h1", new SchemaAndValue(null, "again")).add("none", null, null);
        }
        return new SinkRecord(topic(set), 3, input.keySchema, input.key, input.valueSchema, input.value, 42L, timestamp,
            timestamp == null ? TimestampType.NO_TIMESTAMP_TYPE : TimestampType.CREATE_TIME, headers);
    }

    static SourceRecord source(Input input, String[] flags) {
        List<String> set = Arrays.asList(flags);
        Long timestamp = set.contains("notime") ? null : Long.valueOf(MS);
        return new SourceRecord(Map.of(), Map.of(), topic(set), set.contains("part") ? Integer.valueOf(5) : null,
            input.keySchema, input.key, input.valueSchema, input.value, timestamp);
    }

    static String topic(List<String> flags) {
        for (String flag : flags) {
            if (flag.startsWith("topic=")) {
                return flag.substring(6);
            }
        }
        return "orders";
    }

    static Map<String, Input> inputs() {
        Map<String, Input> all = new LinkedHashMap<>();
        Schema inner = SchemaBuilder.struct().name("In").field("x", Schema.INT32_SCHEMA)
            .field("y", Schema.OPTIONAL_STRING_SCHEMA).field("d", SchemaBuilder.string().optional().defaultValue("dx").build()).build();
        Schema full = SchemaBuilder.struct().name("Full").version(3).doc("all").parameter("p", "q")
            .field("i8", Schema.INT8_SCHEMA).field("i16", Schema.INT16_SCHEMA).field("i32", Schema.INT32_SCHEMA)
            .field("i64", Schema.INT64_SCHEMA).field("f32", Schema.FLOAT32_SCHEMA).field("f64", Schema.FLOAT64_SCHEMA)
            .field("b", Schema.BOOLEAN_SCHEMA).field("s", Schema.STRING_SCHEMA).field("y", Schema.BYTES_SCHEMA)
            .field("date", Date.SCHEMA).field("time", Time.SCHEMA).field("ts", Timestamp.SCHEMA).field("dec", Decimal.schema(2))
            .field("os", Schema.OPTIONAL_STRING_SCHEMA).field("oi", Schema.OPTIONAL_INT32_SCHEMA)
            .field("ds", SchemaBuilder.string().optional().defaultValue("def").build())
            .field("di", SchemaBuilder.int32().optional().defaultValue(7).build())
            .field("ri", SchemaBuilder.int64().defaultValue(9L).build())
            .field("arr", SchemaBuilder.array(Schema.INT32_SCHEMA).build())
            .field("map", SchemaBuilder.map(Schema.STRING_SCHEMA, Schema.OPTIONAL_INT64_SCHEMA).build())
            .field("in", inner).field("oin", SchemaBuilder.struct().optional().field("z", Schema.INT32_SCHEMA).build())
            .field("num", Schema.STRING_SCHEMA).field("when", Schema.STRING_SCHEMA).build();
        Struct in = new Struct(inner).put("x", 1);
        Struct value = new Struct(full).put("i8", (byte) 1).put("i16", (short) 300).put("i32", 70000).put("i64", 5_000_000_000L)
            .put("f32", 1.5f).put("f64", -2.75d).put("b", true).put("s", "text").put("y", new byte[] {1, 2, (byte) 255})
            .put("date", new java.util.Date(18_263L * 86_400_000L)).put("time", new java.util.Date(45_296_789L))
            .put("ts", new java.util.Date(MS)).put("dec", new BigDecimal("12.34")).put("ri", 4L)
            .put("arr", new ArrayList<>(List.of(1, 2))).put("map", new HashMap<>(Map.of("k", 5L))).put("in", in).put("num", "-12").put("when", "2020-01-02 03:04:05");
        all.put("full", new Input("full", Schema.STRING_SCHEMA, "key", full, value));
        Schema flat = SchemaBuilder.struct().name("Flat").field("a", Schema.STRING_SCHEMA).field("n", Schema.OPTIONAL_INT64_SCHEMA)
            .field("a.b", Schema.OPTIONAL_STRING_SCHEMA).build();
        all.put("flat", new Input("flat", flat, new Struct(flat).put("a", "ka"), flat, new Struct(flat).put("a", "x").put("n", 4L).put("a.b", "dot")));
        Schema optional = SchemaBuilder.struct().name("Opt").optional().field("a", Schema.STRING_SCHEMA).build();
        all.put("optstruct", new Input("optstruct", optional, new Struct(optional).put("a", "k"), optional, new Struct(optional).put("a", "v")));
        all.put("nullstruct", new Input("nullstruct", optional, null, optional, null));
        all.put("tombstone", new Input("tombstone", Schema.STRING_SCHEMA, "k", null, null));
        all.put("string", new Input("string", Schema.STRING_SCHEMA, "k", Schema.STRING_SCHEMA, "12"));
        all.put("optstring", new Input("optstring", Schema.OPTIONAL_STRING_SCHEMA, null, Schema.OPTIONAL_STRING_SCHEMA, null));
        all.put("defstring", new Input("defstring", null, null, SchemaBuilder.string().defaultValue("dd").build(), null));
        all.put("long", new Input("long", Schema.INT64_SCHEMA, 7L, Schema.INT64_SCHEMA, MS));
        all.put("timestamp", new Input("timestamp", null, null, Timestamp.SCHEMA, new java.util.Date(MS)));
        all.put("date", new Input("date", null, null, Date.builder().optional().build(), new java.util.Date(0)));
        all.put("time", new Input("time", null, null, Time.SCHEMA, new java.util.Date(3_600_001L)));
        all.put("decimal", new Input("decimal", null, null, Decimal.builder(3).parameter("x", "y").build(), new BigDecimal("-7000.125")));
        all.put("bytes", new Input("bytes", null, null, Schema.BYTES_SCHEMA, new byte[] {9, 8}));
        all.put("array", new Input("array", null, null, SchemaBuilder.array(Schema.STRING_SCHEMA).build(), new ArrayList<>(List.of("a", "b"))));
        all.put("maps", new Input("maps", null, null, SchemaBuilder.map(Schema.STRING_SCHEMA, Schema.INT32_SCHEMA).name("M").build(), new HashMap<>(Map.of("k", 1))));
        Map<String, Object> nested = new HashMap<>();
        nested.put("x", 1L);
        nested.put("deep", new HashMap<>(Map.of("y", "z")));
        Map<String, Object> map = new HashMap<>();
        map.put("a", "x");
        map.put("n", 4L);
        map.put("f", 2.5d);
        map.put("b", true);
        map.put("nothing", null);
        map.put("arr", new ArrayList<>(List.of(1L, "two")));
        map.put("in", nested);
        map.put("a.b", "dot");
        map.put("num", "17");
        map.put("when", "2020-01-02 03:04:05");
        map.put("small", (byte) 3);
        map.put("y", new byte[] {5});
        all.put("map", new Input("map", null, new HashMap<>(Map.of("a", "ka", "n", 1L)), null, map));
        Map<String, Object> plain = new HashMap<>();
        plain.put("a", "x");
        plain.put("in", nested);
        plain.put("none", null);
        plain.put("z", 1.5f);
        all.put("plainmap", new Input("plainmap", null, null, null, plain));
        Map<String, Object> dated = new HashMap<>();
        dated.put("t", new java.util.Date(MS));
        dated.put("dec", new BigDecimal("1.50"));
        dated.put("st", new Struct(flat).put("a", "x"));
        all.put("datedmap", new Input("datedmap", null, null, null, dated));
        all.put("emptymap", new Input("emptymap", null, null, null, new HashMap<>()));
        all.put("text", new Input("text", null, "k", null, "2020-01-02 03:04:05"));
        all.put("number", new Input("number", null, 3, null, -1_500L));
        all.put("int", new Input("int", null, null, null, 12));
        all.put("double", new Input("double", null, null, null, 3.99d));
        all.put("javadate", new Input("javadate", null, null, null, new java.util.Date(MS)));
        all.put("list", new Input("list", null, null, null, new ArrayList<>(List.of(1L))));
        all.put("bool", new Input("bool", Schema.BOOLEAN_SCHEMA, true, Schema.BOOLEAN_SCHEMA, false));
        casts(all);
        all.putAll(deep(inner));
        return all;
    }

    static void casts(Map<String, Input> all) {
        Object[] values = {"TRUE", "1.5", "+5", " 5", "", "NaN", "1e3", "0x1p3", "-129", "3000000000", "2.5f", "Infinity"};
        for (int i = 0; i < values.length; i++) {
            all.put("cast" + i, new Input("cast", null, null, Schema.STRING_SCHEMA, values[i]));
        }
        double[] numbers = {0.5, -1.9, 1e10, Double.NaN, 1e300, 100.0, 12345678.9, Double.NEGATIVE_INFINITY, -0.0};
        for (int i = 0; i < numbers.length; i++) {
            all.put("dbl" + i, new Input("dbl", null, null, Schema.FLOAT64_SCHEMA, numbers[i]));
        }
        float[] floats = {0.1f, 3.4e38f, 16777217f, Float.NaN};
        for (int i = 0; i < floats.length; i++) {
            all.put("flt" + i, new Input("flt", null, null, Schema.OPTIONAL_FLOAT32_SCHEMA, floats[i]));
        }
        long[] longs = {0, -1, 300, 4_294_967_298L, Long.MIN_VALUE, 86_399_999L, -62_135_769_600_000L, 253_402_300_800_000L};
        for (int i = 0; i < longs.length; i++) {
            all.put("lng" + i, new Input("lng", null, null, Schema.INT64_SCHEMA, longs[i]));
            all.put("ts" + i, new Input("ts", null, null, Timestamp.SCHEMA, new java.util.Date(longs[i])));
        }
        String[] texts = {
            "2020-01-02", "2020-13-45 99:99:99", "20-1-2 3:4:5", "2020-01-02 03:04:05 trailing", "junk", "Thu, 02 Jan 2020 03:04:05 GMT",
            "2020-01-02T03:04:05.678+0100", "2020-01-02T03:04:05.678+01:00", "2020-01-02T03:04:05.678Z", "03:04 PM", "2020-02-30 00:00:00",
            "12/31/99", "1 January 2020", "-5-01-02 00:00:00", "Thu, 02 jan 2020 03:04:05 PST", "20200102", "2020-01-02T03:04:05.6Z",
        };
        for (int i = 0; i < texts.length; i++) {
            all.put("when" + i, new Input("when", null, null, Schema.STRING_SCHEMA, texts[i]));
        }
    }

    static Map<String, Input> deep(Schema inner) {
        Map<String, Input> all = new LinkedHashMap<>();
        Schema leaf = SchemaBuilder.struct().field("s", Schema.STRING_SCHEMA).field("o", Schema.OPTIONAL_INT32_SCHEMA)
            .field("d", SchemaBuilder.int32().optional().defaultValue(5).build()).build();
        Schema optLeaf = SchemaBuilder.struct().optional().field("s", Schema.STRING_SCHEMA)
            .field("ts", Timestamp.SCHEMA).field("r", SchemaBuilder.string().defaultValue("rr").build()).build();
        Schema middle = SchemaBuilder.struct().field("leaf", leaf).field("n", Schema.INT64_SCHEMA).build();
        Schema root = SchemaBuilder.struct().name("Root").doc("nested").field("m", middle).field("ol", optLeaf)
            .field("b", Schema.BOOLEAN_SCHEMA).field("arr", SchemaBuilder.array(inner).optional().build()).build();
        Schema nomap = SchemaBuilder.struct().name("Root").field("m", middle).field("ol", optLeaf).field("b", Schema.BOOLEAN_SCHEMA).build();
        Struct leafValue = new Struct(leaf).put("s", "deep");
        Struct middleValue = new Struct(middle).put("leaf", leafValue).put("n", 8L);
        all.put("nested", new Input("nested", null, null, nomap, new Struct(nomap).put("m", middleValue).put("b", true)));
        all.put("nested2", new Input("nested2", nomap, new Struct(nomap).put("m", middleValue).put("b", true), nomap, new Struct(nomap).put("m", middleValue)
            .put("ol", new Struct(optLeaf).put("s", "os").put("ts", new java.util.Date(1))).put("b", false)));
        all.put("nestedarr", new Input("nestedarr", null, null, root, new Struct(root).put("m", middleValue).put("b", true)
            .put("arr", List.of(new Struct(inner).put("x", 4)))));
        Schema withMap = SchemaBuilder.struct().field("m", SchemaBuilder.map(Schema.STRING_SCHEMA, Schema.STRING_SCHEMA).build()).build();
        all.put("structmap", new Input("structmap", null, null, withMap, new Struct(withMap).put("m", Map.of("a", "b"))));
        SchemaBuilder withDefault = SchemaBuilder.struct().optional().field("q", Schema.STRING_SCHEMA).field("w", Schema.OPTIONAL_INT32_SCHEMA);
        Schema defaulted = withDefault.defaultValue(new Struct(withDefault).put("q", "fromdefault")).build();
        Schema outer = SchemaBuilder.struct().field("c", defaulted).field("t", Schema.STRING_SCHEMA).build();
        all.put("structdefault", new Input("structdefault", null, null, outer, new Struct(outer).put("t", "x")));
        Schema clash = SchemaBuilder.struct().field("a.b", Schema.STRING_SCHEMA)
            .field("a", SchemaBuilder.struct().field("b", Schema.INT32_SCHEMA).build()).build();
        all.put("clash", new Input("clash", null, null, clash, new Struct(clash).put("a.b", "x").put("a", new Struct(clash.field("a").schema()).put("b", 1))));
        return all;
    }

    // ---- JSON ----

    static String error(Throwable e) {
        StringBuilder causes = new StringBuilder("[");
        for (Throwable cause = e.getCause(); cause != null; cause = cause.getCause()) {
            causes.append(causes.length() > 1 ? "," : "").append(text(cause.toString()));
        }
        return "{\"class\":" + text(e.getClass().getName()) + ",\"message\":" + (e.getMessage() == null ? "null" : text(e.getMessage()))
            + ",\"causes\":" + causes.append("]") + "}";
    }

    static String record(ConnectRecord<?> record) {
        StringBuilder headers = new StringBuilder("[");
        for (Header header : record.headers()) {
            headers.append(headers.length() > 1 ? "," : "").append("[").append(text(header.key())).append(",")
                .append(schema(header.schema())).append(",").append(value(header.schema(), header.value())).append("]");
        }
        return "{\"topic\":" + text(record.topic()) + ",\"partition\":" + record.kafkaPartition()
            + (record instanceof SinkRecord s ? ",\"offset\":" + s.kafkaOffset() : "") + ",\"timestamp\":" + record.timestamp()
            + ",\"key_schema\":" + schema(record.keySchema()) + ",\"key\":" + value(record.keySchema(), record.key())
            + ",\"value_schema\":" + schema(record.valueSchema()) + ",\"value\":" + value(record.valueSchema(), record.value())
            + ",\"headers\":" + headers.append("]") + "}";
    }

    static String schema(Schema schema) {
        if (schema == null) {
            return "null";
        }
        StringBuilder out = new StringBuilder("{\"type\":").append(text(schema.type().name()));
        if (schema.isOptional()) {
            out.append(",\"optional\":true");
        }
        if (schema.name() != null) {
            out.append(",\"name\":").append(text(schema.name()));
        }
        if (schema.version() != null) {
            out.append(",\"version\":").append(schema.version());
        }
        if (schema.doc() != null) {
            out.append(",\"doc\":").append(text(schema.doc()));
        }
        if (schema.parameters() != null && !schema.parameters().isEmpty()) {
            out.append(",\"parameters\":").append(strings(new TreeMap<>(schema.parameters())));
        }
        if (schema.defaultValue() != null) {
            out.append(",\"default\":").append(value(schema, schema.defaultValue()));
        }
        switch (schema.type()) {
            case STRUCT -> {
                out.append(",\"fields\":[");
                String comma = "";
                for (Field field : schema.fields()) {
                    out.append(comma).append("[").append(text(field.name())).append(",").append(schema(field.schema())).append("]");
                    comma = ",";
                }
                out.append("]");
            }
            case ARRAY -> out.append(",\"items\":").append(schema(schema.valueSchema()));
            case MAP -> out.append(",\"keys\":").append(schema(schema.keySchema())).append(",\"items\":").append(schema(schema.valueSchema()));
            default -> { }
        }
        return out.append("}").toString();
    }

    /** Values carry their class: {"long":"1"}; structs their schema only where none is known from outside. */
    static String value(Schema schema, Object value) {
        if (value == null) {
            return "null";
        }
        if (value instanceof Struct struct) {
            StringBuilder fields = new StringBuilder("[");
            for (Field field : struct.schema().fields()) {
                fields.append(fields.length() > 1 ? "," : "").append(value(field.schema(), struct.getWithoutDefault(field.name())));
            }
            return schema == null ? "{\"struct\":" + fields + "],\"schema\":" + schema(struct.schema()) + "}" : "{\"struct\":" + fields + "]}";
        }
        if (value instanceof List<?> list) {
            StringBuilder items = new StringBuilder("[");
            for (Object item : list) {
                items.append(items.length() > 1 ? "," : "").append(value(schema == null ? null : schema.valueSchema(), item));
            }
            return "{\"list\":" + items + "]}";
        }
        if (value instanceof Map<?, ?> map) {
            StringBuilder pairs = new StringBuilder("[");
            for (Map.Entry<?, ?> pair : map.entrySet()) {
                pairs.append(pairs.length() > 1 ? "," : "").append("[").append(value(schema == null ? null : schema.keySchema(), pair.getKey()))
                    .append(",").append(value(schema == null ? null : schema.valueSchema(), pair.getValue())).append("]");
            }
            return "{\"map\":" + pairs + "]}";
        }
        if (value instanceof byte[] bytes) {
            return "{\"bytes\":" + text(Base64.getEncoder().encodeToString(bytes)) + "}";
        }
        if (value instanceof java.util.Date date) {
            return "{\"date\":" + date.getTime() + "}";
        }
        if (value instanceof BigDecimal decimal) {
            return "{\"decimal\":" + text(Base64.getEncoder().encodeToString(decimal.unscaledValue().toByteArray())) + ",\"scale\":" + decimal.scale() + "}";
        }
        if (value instanceof String string) {
            return "{\"text\":" + text(string) + "}";
        }
        if (value instanceof Boolean) {
            return "{\"boolean\":" + value + "}";
        }
        return "{\"" + value.getClass().getSimpleName().toLowerCase() + "\":" + text(value.toString()) + "}";
    }

    static String strings(Map<String, String> map) {
        StringBuilder out = new StringBuilder("{");
        map.forEach((name, value) -> out.append(out.length() > 1 ? "," : "").append(text(name)).append(":").append(text(value)));
        return out.append("}").toString();
    }

    static String text(String text) {
        StringBuilder out = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            switch (c) {
                case '"' -> out.append("\\\"");
                case '\\' -> out.append("\\\\");
                default -> {
                    if (c < 32 || c > 126) {
                        out.append(String.format("\\u%04x", (int) c));
                    } else {
                        out.append(c);
                    }
                }
            }
        }
        return out.append("\"").toString();
    }
}
