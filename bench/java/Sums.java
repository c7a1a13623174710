import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * The sums that rewards keeps, kept by Kafka Streams: per person and cell, after minus before.
 *
 * <p>Arguments: bootstrap, application id, input topic, output topic, state directory, how many
 * records there are, threads. Prints the seconds from the first record to the last, and the records.
 */
public final class Sums {
    private static final AtomicLong FIRST = new AtomicLong();
    private static final AtomicLong SEEN = new AtomicLong();

    public static void main(String[] arguments) throws Exception {
        long expected = Long.parseLong(arguments[5]);
        CountDownLatch done = new CountDownLatch(1);
        Topology topology = new Topology();
        topology.addSource(
            "events", Serdes.String().deserializer(), Serdes.ByteArray().deserializer(),
            arguments[2]);
        topology.addProcessor("sum", () -> new Summing(expected, done), "events");
        topology.addStateStore(
            Stores.keyValueStoreBuilder(
                Stores.persistentKeyValueStore("sums"), Serdes.String(), Serdes.Long()),
            "sum");
        topology.addSink(
            "standings", arguments[3], Serdes.String().serializer(), Serdes.Long().serializer(),
            "sum");
        KafkaStreams streams = new KafkaStreams(topology, settings(arguments));
        streams.setUncaughtExceptionHandler(problem -> {
            problem.printStackTrace();
            Runtime.getRuntime().halt(1);
            return StreamThreadExceptionResponse.SHUTDOWN_APPLICATION;
        });
        streams.start();
        done.await();
        double seconds = (System.nanoTime() - FIRST.get()) / 1e9;
        // What is open is committed; only then does the reader of the output see it.
        streams.close();
        System.out.println(seconds + " " + SEEN.get());
    }

    private static Properties settings(String[] arguments) {
        Properties properties = new Properties();
        properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[0]);
        properties.put(StreamsConfig.APPLICATION_ID_CONFIG, arguments[1]);
        properties.put(StreamsConfig.STATE_DIR_CONFIG, arguments[4]);
        properties.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, arguments[6]);
        properties.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        properties.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, "1");
        properties.put("auto.offset.reset", "earliest");
        return properties;
    }

    private static final class Summing implements Processor<String, byte[], String, Long> {
        private final ObjectMapper mapper = new ObjectMapper();
        private final long expected;
        private final CountDownLatch done;
        private ProcessorContext<String, Long> context;
        private KeyValueStore<String, Long> sums;

        Summing(long expected, CountDownLatch done) {
            this.expected = expected;
            this.done = done;
        }

        @Override
        public void init(ProcessorContext<String, Long> given) {
            context = given;
            sums = given.getStateStore("sums");
        }

        @Override
        public void process(Record<String, byte[]> record) {
            FIRST.compareAndSet(0, System.nanoTime());
            try {
                for (JsonNode moved : mapper.readTree(record.value()).get("moved")) {
                    add(record, moved);
                }
            } catch (java.io.IOException problem) {
                throw new IllegalStateException(problem);
            }
            if (SEEN.incrementAndGet() == expected) {
                done.countDown();
            }
        }

        private void add(Record<String, byte[]> record, JsonNode moved) {
            long difference = moved.get("after").asLong() - moved.get("before").asLong();
            if (difference == 0) {
                return;
            }
            String key = record.key() + moved.get("cell");
            Long before = sums.get(key);
            long after = (before == null ? 0 : before) + difference;
            sums.put(key, after);
            context.forward(new Record<>(record.key(), after, record.timestamp()));
        }
    }
}
