// Java's transformations over the records that smt.rs measured; prints class, Weir's and Java's nanoseconds a record.
//
//   java -cp 'libs/*' SmtBench.java < lines of smt.rs

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.Arrays;
import java.util.Date;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaBuilder;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.data.Timestamp;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.transforms.Transformation;

public class SmtBench {
  private static final int ROUNDS = 15;
  private static final int BATCHES_A_ROUND = 400;
  private static final int BATCH = 500;
  private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();
  private static long seen;

  private static SourceRecord[] batch() {
    Schema schema = SchemaBuilder.struct().name("bench.Row").field("id", Schema.INT32_SCHEMA).field("name", Schema.STRING_SCHEMA)
        .field("at", Timestamp.SCHEMA).field("price", Schema.FLOAT64_SCHEMA).field("active", Schema.BOOLEAN_SCHEMA).build();
    SourceRecord[] records = new SourceRecord[BATCH];
    for (int at = 0; at < BATCH; at++) {
      Struct value = new Struct(schema).put("id", at).put("name", "name of record " + at).put("at", new Date(1_700_000_000_000L + at))
          .put("price", at / 8.0).put("active", at % 2 == 0);
      records[at] = new SourceRecord(Map.of(), Map.of(), "items-raw", null, null, null, schema, value);
    }
    return records;
  }

  /** Median nanoseconds a record, after as many rounds to warm up. */
  private static double measured(Transformation<SourceRecord> transformation, SourceRecord[] records) {
    double[] rounds = new double[ROUNDS];
    for (int round = -ROUNDS; round < ROUNDS; round++) {
      long began = THREADS.getCurrentThreadCpuTime();
      for (int batch = 0; batch < BATCHES_A_ROUND; batch++) {
        for (SourceRecord record : records) {
          seen += transformation.apply(record).topic().length();
        }
      }
      if (round >= 0) {
        rounds[round] = (THREADS.getCurrentThreadCpuTime() - began) / (double) (BATCHES_A_ROUND * BATCH);
      }
    }
    Arrays.sort(rounds);
    return rounds[ROUNDS / 2];
  }

  public static void main(String[] arguments) throws IOException, ReflectiveOperationException {
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
    SourceRecord[] records = batch();
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String[] parts = line.split("\t");
      Map<String, String> settings = new HashMap<>();
      for (String pair : Arrays.asList(parts).subList(2, parts.length)) {
        int sign = pair.indexOf('=');
        settings.put(pair.substring(0, sign), pair.substring(sign + 1));
      }
      @SuppressWarnings("unchecked")
      Transformation<SourceRecord> transformation =
          (Transformation<SourceRecord>) Class.forName("org.apache.kafka.connect.transforms." + parts[0]).getDeclaredConstructor().newInstance();
      transformation.configure(settings);
      System.out.printf("%s %s %.1f%n", parts[0], parts[1], measured(transformation, records));
    }
    if (seen == 0) {
      throw new IllegalStateException("nothing was measured");
    }
  }
}
