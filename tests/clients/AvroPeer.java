// What the suite asks of Java's Avro library: JSON lines of vectors in, what the library makes of each out.
//
//   java -cp 'libs/*' AvroPeer.java    {"name", "schema", "hex"} a line -> {"name", "schema", "read", "hex"} a line
//
// `schema` comes back as the library prints it, `read` is the value (bytes as 0x…), `hex` is that value written again.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.HexFormat;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericFixed;
import org.apache.avro.generic.IndexedRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;

public class AvroPeer {
  private static final JsonNodeFactory JSON = JsonNodeFactory.instance;

  public static void main(String[] arguments) throws Exception {
    ObjectMapper mapper = new ObjectMapper();
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      JsonNode vector = mapper.readTree(line);
      Schema schema = new Schema.Parser().parse(vector.get("schema").textValue());
      BinaryDecoder decoder = DecoderFactory.get().binaryDecoder(HexFormat.of().parseHex(vector.get("hex").textValue()), null);
      Object value = new GenericDatumReader<Object>(schema).read(null, decoder);
      if (!decoder.isEnd()) {
        throw new IllegalStateException("bytes left over: " + line);
      }
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(bytes, null);
      new GenericDatumWriter<Object>(schema).write(value, encoder);
      encoder.flush();
      ObjectNode answer = JSON.objectNode();
      answer.set("name", vector.get("name"));
      answer.put("schema", schema.toString());
      answer.set("read", shown(value));
      answer.put("hex", HexFormat.of().formatHex(bytes.toByteArray()));
      System.out.println(mapper.writeValueAsString(answer));
    }
  }

  private static JsonNode shown(Object value) {
    if (value == null) {
      return JSON.nullNode();
    } else if (value instanceof Integer number) {
      return JSON.numberNode(number);
    } else if (value instanceof Long number) {
      return JSON.numberNode(number);
    } else if (value instanceof Float number) {
      return JSON.numberNode(number.doubleValue());
    } else if (value instanceof Double number) {
      return JSON.numberNode(number);
    } else if (value instanceof Boolean flag) {
      return JSON.booleanNode(flag);
    } else if (value instanceof ByteBuffer buffer) {
      byte[] bytes = new byte[buffer.remaining()];
      buffer.duplicate().get(bytes);
      return JSON.textNode("0x" + HexFormat.of().formatHex(bytes));
    } else if (value instanceof GenericFixed fixed) {
      return JSON.textNode("0x" + HexFormat.of().formatHex(fixed.bytes()));
    } else if (value instanceof IndexedRecord record) {
      ObjectNode object = JSON.objectNode();
      for (Schema.Field field : record.getSchema().getFields()) {
        object.set(field.name(), shown(record.get(field.pos())));
      }
      return object;
    } else if (value instanceof Map<?, ?> map) {
      ObjectNode object = JSON.objectNode();
      map.forEach((key, own) -> object.set(key.toString(), shown(own)));
      return object;
    } else if (value instanceof Collection<?> list) {
      ArrayNode array = JSON.arrayNode();
      list.forEach(own -> array.add(shown(own)));
      return array;
    }
    return JSON.textNode(value.toString());
  }
}
