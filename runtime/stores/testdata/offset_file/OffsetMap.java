// Writes and reads the standalone worker's offset file the way Apache's FileOffsetBackingStore does. Run: java OffsetMap.java write|read FILE [ENTRY...]
// An entry is KEY=VALUE, or KEY alone for a null value. `read` prints the entries sorted, one a line, in the same form.
import java.io.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.*;

public class OffsetMap {
    public static void main(String[] args) throws Exception {
        Path file = Path.of(args[1]);
        if (args[0].equals("write")) {
            Map<byte[], byte[]> raw = new HashMap<>();
            for (String entry : Arrays.copyOfRange(args, 2, args.length)) {
                int split = entry.indexOf('=');
                String key = split < 0 ? entry : entry.substring(0, split);
                byte[] value = split < 0 ? null : entry.substring(split + 1).getBytes(StandardCharsets.UTF_8);
                raw.put(key.getBytes(StandardCharsets.UTF_8), value);
            }
            try (ObjectOutputStream out = new ObjectOutputStream(Files.newOutputStream(file))) {
                out.writeObject(raw);
            }
            return;
        }
        try (ObjectInputStream in = new ObjectInputStream(Files.newInputStream(file))) {
            Map<byte[], byte[]> raw = (Map<byte[], byte[]>) in.readObject();
            TreeSet<String> lines = new TreeSet<>();
            for (Map.Entry<byte[], byte[]> entry : raw.entrySet()) {
                String key = new String(entry.getKey(), StandardCharsets.UTF_8);
                lines.add(entry.getValue() == null ? key : key + "=" + new String(entry.getValue(), StandardCharsets.UTF_8));
            }
            PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
            lines.forEach(out::println);
        }
    }
}
