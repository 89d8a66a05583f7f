// Writes json.txt and header.txt beside it: what Apache Kafka's converters answer for a table of inputs.
// Only public API. Run in UTC, because Java formats dates in the process's zone:
//   java -Duser.timezone=UTC -cp 'KAFKA_HOME/libs/*' ConverterGolden.java OUTPUT_DIR

import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.storage.Converter;
import org.apache.kafka.connect.storage.SimpleHeaderConverter;
import org.apache.kafka.connect.storage.StringConverter;

public class ConverterGolden {
    static PrintWriter out;

    static JsonConverter json(boolean schemas, String decimals, boolean replace) {
        Map<String, String> config = new HashMap<>();
        config.put("schemas.enable", String.valueOf(schemas));
        config.put("decimal.format", decimals);
        config.put("replace.null.with.default", String.valueOf(replace));
        JsonConverter converter = new JsonConverter();
        converter.configure(config, false);
        return converter;
    }

    interface Step { byte[] run() throws Exception; }

    // What was said last, to leave out lines that only repeat it.
    static String last;

    static void line(String label, Step step) {
        String shown = answer(step);
        out.println(label + " " + shown);
        last = shown;
    }

    static void lineIfNew(String label, Step step) {
        String shown = answer(step);
        if (!shown.equals(last)) {
            out.println(label + " " + shown);
        }
    }

    static String answer(Step step) {
        String shown;
        try {
            byte[] bytes = step.run();
            shown = bytes == null ? "= null" : "> " + new String(bytes, StandardCharsets.UTF_8).replace("\n", "\u240a").replace("\r", "\u240d");
        } catch (Exception e) {
            shown = "! " + e.getMessage();
        }
        return shown;
    }

    static SchemaAndValue parse(String in, boolean schemas, boolean replace) {
        return json(schemas, "BASE64", replace).toConnectData("t", in.getBytes(StandardCharsets.UTF_8));
    }

    static void read(String in, boolean schemas) {
        out.println("in " + in);
        SchemaAndValue read;
        try {
            read = parse(in, schemas, true);
        } catch (Exception e) {
            out.println("read ! " + e.getMessage());
            out.println();
            return;
        }
        for (boolean envelope : new boolean[] {true, false}) {
            line("json." + envelope + ".BASE64.true", () -> json(envelope, "BASE64", true).fromConnectData("t", read.schema(), read.value()));
            lineIfNew("json." + envelope + ".NUMERIC.true", () -> json(envelope, "NUMERIC", true).fromConnectData("t", read.schema(), read.value()));
            lineIfNew("json." + envelope + ".BASE64.false", () -> {
                SchemaAndValue unreplaced = parse(in, schemas, false);
                return json(envelope, "BASE64", false).fromConnectData("t", unreplaced.schema(), unreplaced.value());
            });
        }
        // Java prints the address of byte arrays; those are left out.
        if (!in.contains("\"bytes\"") || in.contains("Decimal")) {
            StringConverter text = new StringConverter();
            text.configure(new HashMap<>(), false);
            line("string", () -> text.fromConnectData("t", read.schema(), read.value()));
        }
        line("simple", () -> new SimpleHeaderConverter().fromConnectHeader("t", "h", read.schema(), read.value()));
        out.println();
    }

    static void header(String in) {
        out.println("in " + in);
        SchemaAndValue read = new SimpleHeaderConverter().toConnectHeader("t", "h", in.getBytes(StandardCharsets.UTF_8));
        if (read == null) {
            read = SchemaAndValue.NULL;
        }
        SchemaAndValue found = read;
        line("json", () -> json(true, "NUMERIC", true).fromConnectData("t", found.schema(), found.value()));
        line("simple", () -> new SimpleHeaderConverter().fromConnectHeader("t", "h", found.schema(), found.value()));
        out.println();
    }

    static String typed(String schema, String payload) {
        return "{\"schema\":" + schema + ",\"payload\":" + payload + "}";
    }

    static String type(String name) {
        return "{\"type\":\"" + name + "\"}";
    }

    static final String DECIMAL = "{\"type\":\"bytes\",\"name\":\"org.apache.kafka.connect.data.Decimal\",\"version\":1,\"parameters\":{\"scale\":\"2\"}}";

    static String logical(String base, String name) {
        return "{\"type\":\"" + base + "\",\"name\":\"org.apache.kafka.connect.data." + name + "\",\"version\":1}";
    }

    static String struct(String... fields) {
        return "{\"type\":\"struct\",\"fields\":[" + String.join(",", fields) + "]}";
    }

    static String field(String name, String rest) {
        return "{" + rest + ",\"field\":\"" + name + "\"}";
    }

    static void primitives() {
        String[] values = {"0", "1", "-1", "127", "128", "300", "40000", "3000000000", "9223372036854775807", "9223372036854775808", "-129", "123456789012345678901234567890",
            "1.5", "2.9", "-2.9", "1e3", "1e30", "1e-3", "1.0E10", "0.1", "123456.789", "1e400", "-0", "-0.0", "3.4028236e39", "true", "false", "null", "\"\"", "\"5\"", "\"text\"", "[1]", "{\"a\":1}"};
        for (String name : new String[] {"int8", "int16", "int32", "int64", "float", "double", "boolean", "string"}) {
            for (String value : values) {
                read(typed(type(name), value), true);
            }
        }
        for (String value : new String[] {"\"AQI=\"", "\"AQ==\"", "\"\"", "\"AQI\"", "\" AQI=\\n\"", "\"A-_=\"", "5", "null", "\"/+8=\""}) {
            read(typed(type("bytes"), value), true);
        }
        for (String text : new String[] {"\"a\\\"b\\\\c\\/d\\b\\f\\n\\r\\t\"", "\"\\u0001\\u001f\\u007f\\u2028\"", "\"é😀\"", "\"\\ud83d\\ude00\"", "\"\\ud800x\"", "\"\\udc00\""}) {
            read(typed(type("string"), text), true);
        }
    }

    static void attributes() {
        for (String schema : new String[] {
            "{\"type\":\"int32\",\"optional\":true}", "{\"type\":\"int32\",\"optional\":true,\"default\":7}", "{\"type\":\"int32\",\"default\":7}", "{\"type\":\"string\",\"default\":\"x\",\"doc\":\"d\",\"name\":\"N\",\"version\":3,\"parameters\":{\"p\":\"q\"}}",
            "{\"type\":\"string\",\"optional\":\"yes\"}", "{\"type\":\"int32\",\"version\":\"1\",\"name\":5}", "{\"type\":\"array\",\"items\":{\"type\":\"int8\"},\"default\":[1,2]}",
            "{\"type\":\"int32\",\"default\":\"x\"}", "{\"type\":\"int32\",\"optional\":true,\"default\":null}"}) {
            read(typed(schema, "null"), true);
            read(typed(schema, "5"), true);
        }
        String optionals = struct(field("o", "\"type\":\"string\",\"optional\":true"), field("d", "\"type\":\"int32\",\"optional\":true,\"default\":9"), field("r", "\"type\":\"string\",\"default\":\"z\""), field("i", "\"type\":\"int8\""));
        for (String payload : new String[] {"{\"o\":null,\"d\":null,\"i\":1}", "{\"o\":\"a\",\"d\":1,\"r\":\"b\",\"i\":2}", "{\"i\":3,\"extra\":[1,{}],\"d\":4}", "{\"o\":\"a\"}", "{\"i\":null}", "{\"r\":5,\"i\":1}", "{\"o\":5,\"i\":1}", "[]", "null", "{\"i\":1,\"i\":2}"}) {
            read(typed(optionals, payload), true);
        }
    }

    static void containers() {
        String ints = "{\"type\":\"array\",\"items\":{\"type\":\"int32\"}}";
        String map = "{\"type\":\"map\",\"keys\":{\"type\":\"string\"},\"values\":{\"type\":\"int32\",\"optional\":true}}";
        String pairs = "{\"type\":\"map\",\"keys\":{\"type\":\"int32\"},\"values\":{\"type\":\"string\"}}";
        for (String payload : new String[] {"[]", "[1,2,3]", "[1,null]", "\"x\"", "{\"x\":1,\"y\":2}", "null", "5"}) {
            read(typed(ints, payload), true);
        }
        for (String payload : new String[] {"{}", "{\"a\":1,\"b\":null}", "{\"a\":1,\"a\":2}", "[[\"a\",1]]", "5"}) {
            read(typed(map, payload), true);
        }
        for (String payload : new String[] {"[]", "[[1,\"a\"],[2,\"b\"]]", "[[1]]", "[1]", "{\"a\":1}", "[[1,2]]"}) {
            read(typed(pairs, payload), true);
        }
        read(typed("{\"type\":\"array\",\"items\":" + struct(field("m", "\"type\":\"map\",\"keys\":{\"type\":\"string\"},\"values\":" + ints)) + "}", "[{\"m\":{\"k\":[1,2]}},{\"m\":{}}]"), true);
        read(typed(struct(), "{}"), true);
        read("{\"schema\":{\"type\":\"struct\",\"fields\":[{\"type\":\"int8\",\"optional\":false,\"field\":\"i8\"},{\"type\":\"float\",\"optional\":true,\"field\":\"f\"},{\"type\":\"bytes\",\"optional\":false,\"name\":\"org.apache.kafka.connect.data.Decimal\",\"version\":1,\"parameters\":{\"scale\":\"2\"},\"field\":\"d\"},{\"type\":\"string\",\"optional\":false,\"default\":\"x\",\"field\":\"def\"},{\"type\":\"map\",\"keys\":{\"type\":\"int32\",\"optional\":false},\"values\":{\"type\":\"string\",\"optional\":false},\"optional\":false,\"field\":\"m\"}],\"optional\":true,\"name\":\"N\",\"version\":2,\"doc\":\"d\",\"parameters\":{\"p\":\"q\"}},\"payload\":{\"i8\":1,\"f\":1.5,\"d\":\"ew==\",\"def\":\"x\",\"m\":[[1,\"a\"]]}}", true);
    }

    static void logicals() {
        for (String value : new String[] {"\"ew==\"", "1.23", "-1.23", "\"/w==\"", "12345678901234567890.12", "0.00", "true", "\"!\"", "null"}) {
            read(typed(DECIMAL, value), true);
        }
        for (String scale : new String[] {"0", "-2", "8", "30"}) {
            read(typed(DECIMAL.replace("\"2\"", "\"" + scale + "\""), "\"ew==\""), true);
        }
        for (String value : new String[] {"0", "1", "18262", "-1", "3000000000", "1.0", "\"1\"", "null"}) {
            read(typed(logical("int32", "Date"), value), true);
        }
        for (String value : new String[] {"0", "1", "86399999", "86400000", "86400001", "-1", "\"1\""}) {
            read(typed(logical("int32", "Time"), value), true);
        }
        for (String value : new String[] {"0", "1577934245678", "1577923200000", "-1", "-62135596800000", "1.5", "\"1\""}) {
            read(typed(logical("int64", "Timestamp"), value), true);
        }
    }

    static void badSchemas() {
        for (String schema : new String[] {"null", "5", "{}", "{\"type\":5}", "{\"type\":\"float32\"}", "{\"type\":\"array\"}", "{\"type\":\"array\",\"items\":null}", "{\"type\":\"map\"}", "{\"type\":\"map\",\"keys\":{\"type\":\"int8\"}}",
            "{\"type\":\"map\",\"keys\":null,\"values\":{\"type\":\"int8\"}}", "{\"type\":\"struct\"}", "{\"type\":\"struct\",\"fields\":[{\"type\":\"int8\"}]}", "{\"type\":\"struct\",\"fields\":[{\"type\":\"int8\",\"field\":\"a\"},{\"type\":\"int8\",\"field\":\"a\"}]}",
            "{\"type\":\"int8\",\"parameters\":{\"a\":1}}", "{\"type\":\"int32\",\"default\":null}"}) {
            read(typed(schema, "1"), true);
        }
        for (String in : new String[] {"5", "null", "{}", "{\"payload\":1}", "{\"schema\":null,\"payload\":1,\"more\":2}", "{\"payload\":1,\"schema\":{\"type\":\"int8\"}}", "{\"schema\":{\"type\":\"int8\"},\"payload\":1,\"payload\":2}", "{\"schema\":{\"type\":\"int8\"},\"payload\":1}x", "{\"schema\":null,\"payload\":null}", " { \"schema\" : {\"type\":\"int8\"} , \"payload\" : 1 } "}) {
            read(in, true);
        }
    }

    static void schemaless() {
        for (String in : new String[] {"", "  ", "null", "true", "1", "-1", "01", "1.0", "1.5", "1e5", "1e400", "123456789012345678901234567890", "\"text\"", "\"\"", "[]", "[1,\"a\",null,[true]]", "{}", "{\"a\":1,\"b\":{\"c\":[1.5]},\"c\":null}", "{\"a\":1,\"a\":2}",
            "1 2", "{\"a\":1}x", "\"abc\"x", "{\"a\\u0062\":1}", "12abc", "truex", "+1", ".5", "5.", "-", "1e", "NaN", "'a'", "{a:1}", "[1,]", "[1", "[1 2]", "{\"a\":}", "{\"a\" 1}", "\"\t\"", "\"\\x\"", "\"\\u12\"", "nul", "]", "// c", "\ufeff1", "100.0", "1.0E10", "1e-5", "0.001"}) {
            read(in, false);
        }
    }

    static void headers() {
        for (String in : new String[] {"", " ", "null", " null ", "true", " true", "TRUE", "false", "true}", "null,", "1", "127", "-128", "1.0", "007", "+5", " 5 ", "128", "1e3", "40000", "3000000000", "9223372036854775807", "9223372036854775808", "99999999999999999999", "1.5", "0.1", "-.5", "3.14159265358979",
            "1e400", "1e40", "1.5e39", "1e-50", "3.4028235e38", "NaN", "0x10", "abc", "5 x", "\"abc\"", "\"5\"", "a,b", "a:b", "1,2", "1:2", "2020-01-02", "2020-13-45", "2020-01-2x", "12:34:56.789Z", "25:00:00.000Z", "2020-01-02T03:04:05.678Z", "2020-01-02T03:04:05Z", "[1,2,3]", "[1,2.5]", "[1,300,70000]", "[1,\"a\"]",
            "[]", "[ ]", "{}", "{\"a\":1}", "{\"a\":null}", "{\"a\":1,\"b\":\"x\"}", "{\"a\":1,\"b\":2.5}", "{a:1}", "[1,", "[null,1]", "[1,null]", "[null]", "[null,null]", "[true,false]", "[\"a\",\"b\"]", "[[1],[2]]", "[[1],[\"a\"]]", "[[]]", "{\"a\":[1,2]}", "{\"a\":{\"b\":1}}", "{1:\"x\",2:\"y\"}", "{1:\"x\",\"b\":\"y\"}", "{\"a\":1,}",
            "[1,,2]", "[1 2]", "{\"a\"}", "{\"a\":}", "{null:1}", "[1]x", "[1] x", "{\"a\":1}x", "[\"2020-01-02\"]", "[2020-01-02]", "[\"12:34:56.789Z\"]", "[12:34:56.789Z]", "[99999999999999999999,1]", "[99999999999999999999]", "[1.5,true]", "a\\,b", "\\", "[\"a\\\"b\"]", "[\"a,b\"]", "[\" a \"]", "é", "[\"é\"]", "-", "+", "-5", "--5", "1-2", "1e", "5.", ".5", "{\"a\" : 1 , \"b\" : 2}", "[ 1 , 2 ]", "[1.0,2]", "[128,1]", "[4294967296,1.5]", "0001-01-01", "1582-10-04", "[\"1500-02-29\"]"}) {
            header(in);
        }
    }

    public static void main(String[] args) throws Exception {
        Path directory = Path.of(args[0]);
        out = new PrintWriter(directory.resolve("json.txt").toFile(), StandardCharsets.UTF_8);
        out.println("# typed");
        primitives();
        attributes();
        containers();
        logicals();
        badSchemas();
        out.println("# schemaless");
        schemaless();
        out.close();
        out = new PrintWriter(directory.resolve("header.txt").toFile(), StandardCharsets.UTF_8);
        headers();
        out.close();
    }
}
