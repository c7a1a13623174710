package jiexu;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * How many minutes has each volunteer served, over several cities? By the rule of docs/sums.md.
 *
 * <pre>
 * java -cp 'target/classes:target/lib/*' jiexu.Subscriber \
 *   --city 500000=127.0.0.1:9092 --city 510100=127.0.0.1:9192 --state sums.json --until-end
 * </pre>
 */
final class Subscriber {
  private static final String TOPIC = "records.dossiers.v1";
  private static final Duration POLL = Duration.ofMillis(500);
  private static final String ANSWER_MILLISECONDS = "10000";

  /** The dossiers of one city, from where we stopped. */
  private static final class City implements AutoCloseable {
    private final String topic;
    private final KafkaConsumer<String, String> consumer;
    private final Map<TopicPartition, Long> ends;

    City(String code, String bootstrap, Sums sums, boolean replay) throws IOException {
      topic = code + "." + TOPIC;
      Map<String, Object> settings = Access.of(code);
      settings.putAll(Map.of(
          ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap,
          ConsumerConfig.KEY_DESERIALIZER_CLASS_CONFIG, StringDeserializer.class,
          ConsumerConfig.VALUE_DESERIALIZER_CLASS_CONFIG, StringDeserializer.class,
          ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest",
          ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, "false",
          ConsumerConfig.ALLOW_AUTO_CREATE_TOPICS_CONFIG, "false",
          ConsumerConfig.DEFAULT_API_TIMEOUT_MS_CONFIG, ANSWER_MILLISECONDS));
      consumer = new KafkaConsumer<>(settings);
      var parts = consumer.partitionsFor(topic).stream()
          .map(part -> new TopicPartition(topic, part.partition())).toList();
      if (parts.isEmpty()) {
        throw new KafkaException("there is no topic " + topic);
      }
      consumer.assign(parts);
      var lows = consumer.beginningOffsets(parts);
      ends = consumer.endOffsets(parts);
      var stored = sums.state.offsets.getOrDefault(topic, Map.of());
      for (var part : parts) {
        long low = lows.get(part);
        long at = stored.getOrDefault(part.partition(), 0L);
        if (at < low) {
          consumer.close();
          throw new IOException(("%s begins at %d, we have read to %d: what stood between was cut, "
              + "the totals cannot be known").formatted(part, low, at));
        }
        // Beyond the end: the topic was made anew. Sequences pass what we have counted.
        consumer.seek(part, replay || at > ends.get(part) ? low : at);
      }
    }

    /** Counts what is there now; waits half a second at most. */
    int read(Sums sums) throws IOException {
      var records = consumer.poll(POLL);
      for (var record : records) {
        try {
          sums.take(record);
        } catch (Sums.Missed missed) {
          throw new Sums.Missed("%s[%d]@%d: %s".formatted(
              record.topic(), record.partition(), record.offset(), missed.getMessage()));
        } catch (IOException | IllegalArgumentException fault) {
          // It is not skipped: that would be a silent loss.
          throw new IOException("%s[%d]@%d: %s".formatted(
              record.topic(), record.partition(), record.offset(), fault.getMessage()), fault);
        }
      }
      return records.count();
    }

    /** Whether all is read that was there when we began. */
    boolean atEnd() {
      return ends.entrySet().stream()
          .allMatch(end -> consumer.position(end.getKey()) >= end.getValue());
    }

    @Override
    public void close() {
      consumer.close();
    }
  }

  private static void run(String[] arguments) throws IOException {
    Map<String, String> asked = new HashMap<>();
    boolean untilEnd = false;
    boolean replay = false;
    String state = null;
    for (int n = 0; n < arguments.length; n++) {
      switch (arguments[n]) {
        case "--until-end" -> untilEnd = true;
        case "--replay" -> replay = true;
        case "--state" -> state = ++n < arguments.length ? arguments[n] : null;
        case "--city" -> {
          var parts = (++n < arguments.length ? arguments[n] : "").split("=", 2);
          if (parts.length < 2 || parts[0].isEmpty() || parts[1].isEmpty()) {
            throw new IllegalArgumentException("--city is CODE=HOST:PORT");
          }
          asked.put(parts[0], parts[1]);
        }
        default -> throw new IllegalArgumentException("unknown argument " + arguments[n]);
      }
    }
    if (asked.isEmpty() || state == null) {
      throw new IllegalArgumentException(
          "--city CODE=HOST:PORT … --state FILE [--until-end] [--replay]");
    }
    var sums = new Sums(Path.of(state));
    boolean again = false;
    while (true) {
      try {
        follow(asked, sums, untilEnd, replay, again);
        return;
      } catch (Sums.Missed missed) {
        System.err.println(
            "subscriber: " + missed.getMessage() + ": reading again from the start");
        sums.forget();
        replay = false;
        again = true;
      }
    }
  }

  /** Reads on; {@code again} says that this is the start because something was missed. */
  private static void follow(Map<String, String> asked, Sums sums, boolean untilEnd,
      boolean replay, boolean again) throws IOException {
    List<City> cities = new ArrayList<>();
    try {
      for (var city : asked.entrySet()) {
        cities.add(new City(city.getKey(), city.getValue(), sums, replay));
      }
      boolean news = true;
      while (true) {
        if (cities.stream().allMatch(City::atEnd)) {
          if (untilEnd) {
            break;
          }
          again = false;
        }
        int came = 0;
        try {
          for (var city : cities) {
            came += city.read(sums);
          }
        } catch (Sums.Missed missed) {
          if (!again) {
            throw missed;
          }
          throw new IOException(
              missed.getMessage() + " in the log itself: the totals cannot be known");
        }
        if (came > 0) {
          sums.save();
        } else if (news && !untilEnd) {
          System.out.println(sums.report());
        }
        news = came > 0;
      }
      System.out.println(sums.report());
    } finally {
      cities.forEach(City::close);
    }
  }

  public static void main(String[] arguments) {
    try {
      run(arguments);
    } catch (IOException | KafkaException | IllegalArgumentException fault) {
      System.err.println("subscriber: " + fault.getMessage());
      System.exit(1);
    }
  }
}
