// What the suite asks of Kafka's Java client about transactions: one verb a call, a line of JSON on standard output.
//
//     java -cp LIBS Transactions.java BOOTSTRAP VERB [ARGUMENT...]

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

public class Transactions {
    static String servers;

    static KafkaProducer<String, String> producer(String id) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", servers);
        settings.put("transactional.id", id);
        return new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer());
    }

    static KafkaConsumer<String, String> consumer(String group) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", servers);
        settings.put("group.id", group);
        settings.put("enable.auto.commit", "false");
        settings.put("auto.offset.reset", "earliest");
        settings.put("isolation.level", "read_committed");
        return new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer());
    }

    /** Two commits with an abort between them, over both partitions. */
    static String write(String topic) {
        try (KafkaProducer<String, String> producer = producer("java-write")) {
            producer.initTransactions();
            for (String value : List.of("a", "aborted", "b")) {
                producer.beginTransaction();
                for (int partition = 0; partition < 2; partition++) {
                    producer.send(new ProducerRecord<>(topic, partition, "k", value + partition));
                }
                if (value.equals("aborted")) {
                    producer.flush();
                    producer.abortTransaction();
                } else {
                    producer.commitTransaction();
                }
            }
        }
        return "{\"written\":true}";
    }

    /** A second producer of the same id takes over in the middle of the first one's transaction. */
    static String zombie(String topic) throws Exception {
        try (KafkaProducer<String, String> first = producer("java-zombie"); KafkaProducer<String, String> second = producer("java-zombie")) {
            first.initTransactions();
            first.beginTransaction();
            first.send(new ProducerRecord<>(topic, 0, "k", "of the first")).get();
            second.initTransactions();
            String failure = "none";
            try {
                first.commitTransaction();
            } catch (ProducerFencedException | InvalidProducerEpochException fenced) {
                failure = fenced.getClass().getSimpleName();
            }
            second.beginTransaction();
            second.send(new ProducerRecord<>(topic, 0, "k", "of the second"));
            second.commitTransaction();
            return "{\"failure\":\"" + failure + "\"}";
        }
    }

    /** Consume, transform, produce: every other transaction is aborted once and done again. */
    static String transform(String from, String to, String group, String count) {
        int done = 0, aborts = 0;
        try (KafkaProducer<String, String> producer = producer("java-transform"); KafkaConsumer<String, String> consumer = consumer(group)) {
            producer.initTransactions();
            consumer.subscribe(List.of(from));
            while (done < Integer.parseInt(count)) {
                List<ConsumerRecord<String, String>> records = new ArrayList<>();
                consumer.poll(Duration.ofMillis(200)).forEach(records::add);
                if (records.isEmpty()) {
                    continue;
                }
                producer.beginTransaction();
                Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
                for (ConsumerRecord<String, String> record : records) {
                    producer.send(new ProducerRecord<>(to, record.partition(), record.key(), record.value().toUpperCase()));
                    offsets.put(new TopicPartition(from, record.partition()), new OffsetAndMetadata(record.offset() + 1));
                }
                producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
                if (aborts == 0) {
                    aborts++;
                    producer.abortTransaction();
                    consumer.committed(consumer.assignment()).forEach((partition, offset) ->
                        consumer.seek(partition, offset == null ? 0 : offset.offset()));
                    continue;
                }
                producer.commitTransaction();
                done += records.size();
            }
            Map<TopicPartition, OffsetAndMetadata> committed = consumer.committed(consumer.assignment());
            long sum = committed.values().stream().filter(offset -> offset != null).mapToLong(OffsetAndMetadata::offset).sum();
            return "{\"done\":" + done + ",\"aborts\":" + aborts + ",\"committed\":" + sum + "}";
        }
    }

    public static void main(String[] arguments) throws Exception {
        servers = arguments[0];
        String answer = switch (arguments[1]) {
            case "write" -> write(arguments[2]);
            case "zombie" -> zombie(arguments[2]);
            case "transform" -> transform(arguments[2], arguments[3], arguments[4], arguments[5]);
            default -> throw new IllegalArgumentException(arguments[1]);
        };
        System.out.println(answer);
    }
}
