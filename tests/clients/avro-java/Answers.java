// Java's answers to the tables of registry/schema/tests/data: reads a table, prints it with its "=" lines made anew.
// A table is blocks of "key: value" lines between blank lines; lines that start with "#" are kept as they are.
//   reader, writer       differences, one a line, as SchemaCompatibility finds them
//   schema, with*        canonical text as a new schema and as a stored one, and with references written in full

import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.avro.NameValidator;
import org.apache.avro.Schema;
import org.apache.avro.SchemaCompatibility;
import org.apache.avro.SchemaCompatibility.Incompatibility;
import org.apache.avro.SchemaParseException;

public class Answers {
  private static PrintStream out;
  private String reader;
  private String writer;
  private String schema;
  private final List<String> with = new ArrayList<>();

  public static void main(String[] args) throws Exception {
    out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    Answers block = new Answers();
    for (String line : Files.readAllLines(Path.of(args[0]), StandardCharsets.UTF_8)) {
      if (line.startsWith("= ")) {
        continue;
      }
      if (line.isEmpty()) {
        block.answer();
        block = new Answers();
      }
      block.take(line);
      out.println(line);
    }
    block.answer();
    out.flush();
  }

  private void take(String line) {
    if (line.startsWith("reader: ")) {
      reader = line.substring(8);
    } else if (line.startsWith("writer: ")) {
      writer = line.substring(8);
    } else if (line.startsWith("schema: ")) {
      schema = line.substring(8);
    } else if (line.startsWith("with: ")) {
      with.add(line.substring(6));
    }
  }

  private void answer() {
    if (reader != null && writer != null) {
      compare();
    }
    if (schema != null) {
      out.println("= new " + canonical(true, true));
      out.println("= stored " + canonical(false, true));
      if (!with.isEmpty()) {
        out.println("= resolved " + canonical(true, false));
      }
    }
  }

  private void compare() {
    try {
      var result = SchemaCompatibility.checkReaderWriterCompatibility(parser(true).parse(reader), parser(true).parse(writer));
      List<Incompatibility> found = result.getResult().getIncompatibilities();
      if (found.isEmpty()) {
        out.println("= compatible");
      }
      for (Incompatibility one : found) {
        out.println("= " + one.getType() + " " + one.getLocation() + " " + one.getMessage());
      }
    } catch (Exception e) {
      out.println("= ! " + oneLine(e));
    }
  }

  private String canonical(boolean isNew, boolean byName) {
    try {
      Schema.Parser parser = parser(isNew);
      List<Schema> references = new ArrayList<>();
      for (String text : with) {
        references.add(parser.parse(text));
      }
      Schema parsed = parser.parse(schema);
      if (!isNew) {
        checkNames(parsed, new HashSet<>());
      }
      return byName ? parsed.toString(references, false) : parsed.toString();
    } catch (Exception e) {
      return "! " + oneLine(e);
    }
  }

  // As the registry parses: new schemas with strict names and defaults, stored ones without.
  private static Schema.Parser parser(boolean isNew) {
    Schema.Parser parser = new Schema.Parser(isNew ? NameValidator.STRICT_VALIDATOR : NameValidator.NO_VALIDATION);
    parser.setValidateDefaults(isNew);
    return parser;
  }

  // As the registry checks the names of a stored schema after it was parsed.
  private static void checkNames(Schema schema, Set<Integer> seen) {
    if (!seen.add(System.identityHashCode(schema))) {
      return;
    }
    switch (schema.getType()) {
      case RECORD -> {
        checkName(schema.getName());
        for (Schema.Field field : schema.getFields()) {
          checkName(field.name());
          checkNames(field.schema(), seen);
        }
      }
      case ENUM -> {
        checkName(schema.getName());
        schema.getEnumSymbols().forEach(Answers::checkName);
      }
      case FIXED -> checkName(schema.getName());
      case ARRAY -> checkNames(schema.getElementType(), seen);
      case MAP -> checkNames(schema.getValueType(), seen);
      case UNION -> schema.getTypes().forEach(branch -> checkNames(branch, seen));
      default -> { }
    }
  }

  private static void checkName(String name) {
    NameValidator.Result result = NameValidator.UTF_VALIDATOR.validate(name);
    if (!result.isOK()) {
      throw new SchemaParseException(result.getErrors());
    }
  }

  private static String oneLine(Exception e) {
    if (e.getCause() instanceof com.fasterxml.jackson.core.JsonProcessingException) {
      return "not JSON";
    }
    return String.valueOf(e.getMessage()).replace("\n", "\\n");
  }
}
