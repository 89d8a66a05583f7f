// Java's Avro library over the records that avro.rs measured; prints one table of both, in nanoseconds a record.
//
//   java -cp 'libs/*' AvroBench.java < lines of avro.rs

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.util.Arrays;
import java.util.HexFormat;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;

public class AvroBench {
  private static final int ROUNDS = 15;
  private static final int FIELDS_A_ROUND = 10_000_000;
  private static long seen;

  private interface Call {
    void run() throws IOException;
  }

  /** Median nanoseconds of one call, after as many rounds to warm up. */
  private static double measured(int calls, Call call) throws IOException {
    double[] rounds = new double[ROUNDS];
    for (int round = -ROUNDS; round < ROUNDS; round++) {
      long began = System.nanoTime();
      for (int at = 0; at < calls; at++) {
        call.run();
      }
      if (round >= 0) {
        rounds[round] = (System.nanoTime() - began) / (double) calls;
      }
    }
    Arrays.sort(rounds);
    return rounds[ROUNDS / 2];
  }

  public static void main(String[] arguments) throws IOException {
    ObjectMapper mapper = new ObjectMapper();
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
    System.out.printf("%-8s %7s %11s %11s %7s%n", "avro", "fields", "weir ns", "java ns", "ratio");
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      JsonNode ours = mapper.readTree(line);
      int fields = ours.get("fields").intValue();
      int calls = FIELDS_A_ROUND / fields;
      Schema schema = new Schema.Parser().parse(ours.get("schema").textValue());
      byte[] bytes = HexFormat.of().parseHex(ours.get("hex").textValue());
      GenericDatumReader<GenericRecord> reader = new GenericDatumReader<>(schema);
      GenericDatumWriter<GenericRecord> writer = new GenericDatumWriter<>(schema);
      BinaryDecoder decoder = DecoderFactory.get().binaryDecoder(bytes, null);
      GenericRecord record = reader.read(null, decoder);
      ByteArrayOutputStream out = new ByteArrayOutputStream(bytes.length);
      BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(out, null);
      double encode = measured(calls, () -> {
        out.reset();
        BinaryEncoder again = EncoderFactory.get().binaryEncoder(out, encoder);
        writer.write(record, again);
        again.flush();
        seen += out.size();
      });
      double decode = measured(calls, () -> {
        BinaryDecoder again = DecoderFactory.get().binaryDecoder(bytes, decoder);
        seen += reader.read(record, again) == null ? 0 : 1;
      });
      row("encode", fields, ours.get("encode_ns").doubleValue(), encode);
      row("decode", fields, ours.get("decode_ns").doubleValue(), decode);
    }
    if (seen == 0) {
      throw new IllegalStateException("nothing was measured");
    }
  }

  private static void row(String name, int fields, double ours, double java) {
    System.out.printf("%-8s %7d %11.0f %11.0f %6.1fx%n", name, fields, ours, java, java / ours);
  }
}
