package jiexu;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Header;

/**
 * Minutes per subject, and how far each key and partition of each city has been read. It stands in
 * one file, replaced as a whole: whenever we are killed, we go on as if we had not been.
 */
final class Sums {
  private static final String ADOPTED = "records.dossier-adopted.v1";
  private static final ObjectMapper JSON = new ObjectMapper();

  /** What the file holds. */
  static final class State {
    public Map<String, Map<Integer, Long>> offsets = new TreeMap<>();
    public Map<String, Map<String, Long>> sequences = new TreeMap<>();
    public Map<String, Long> epochs = new TreeMap<>();
    public Map<String, Long> minutes = new TreeMap<>();
  }

  /** An event of a key that comes before this one has not been read. */
  static final class Missed extends IOException {
    Missed(String message) {
      super(message);
    }
  }

  private final Path path;
  State state;
  private int taken;
  private int repeats;
  private int olderHomes;

  Sums(Path path) throws IOException {
    this.path = path;
    this.state = Files.exists(path) ? JSON.readValue(path.toFile(), State.class) : new State();
  }

  void take(ConsumerRecord<String, String> record) throws IOException {
    var subject = record.key();
    long sequence = Long.parseLong(header(record, "ce_sequence"));
    state.offsets.computeIfAbsent(record.topic(), none -> new TreeMap<>())
        .put(record.partition(), record.offset() + 1);

    // 1. Pass repeats: events come at least once, and count once.
    var last = state.sequences.computeIfAbsent(record.topic(), none -> new TreeMap<>());
    long before = last.getOrDefault(subject, 0L);
    if (sequence <= before) {
      repeats++;
      return;
    }
    // A key's numbers begin at 1 and have no gaps.
    if (sequence > before + 1) {
      throw new Missed(
          "sequence %d follows %d, something was missed".formatted(sequence, before));
    }
    last.put(subject, sequence);

    // 2. Pass older homes: this city no longer held the dossier when it said so.
    long highest = state.epochs.getOrDefault(subject, 0L);
    var said = record.headers().lastHeader("ce_custodyepoch");
    long epoch = said == null ? highest : Long.parseLong(text(said));
    if (epoch < highest) {
      olderHomes++;
      return;
    }
    state.epochs.put(subject, epoch);

    JsonNode data = JSON.readTree(record.value());
    if (header(record, "ce_type").equals(ADOPTED)) {
      // 3. An adoption replaces what there was.
      state.minutes.put(subject, data.required("totals").required("credited_minutes").asLong());
    } else {
      // 4. Everything else adds what it moved; types that move nothing change nothing.
      long more = 0;
      for (JsonNode moved : data.path("moved")) {
        if (!moved.required("cell").isNull()) {
          more += moved.required("after").asLong() - moved.required("before").asLong();
        }
      }
      state.minutes.merge(subject, more, Long::sum);
    }
    taken++;
  }

  /** Everything, at once: it is read again from the start. */
  void forget() throws IOException {
    state = new State();
    taken = repeats = olderHomes = 0;
    save();
  }

  /** Writes a new file, makes it durable and puts it in the place of the old one. */
  void save() throws IOException {
    var fresh = path.resolveSibling(path.getFileName() + ".new");
    try (var file = FileChannel.open(fresh, StandardOpenOption.CREATE,
        StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE)) {
      var bytes = ByteBuffer.wrap(JSON.writeValueAsBytes(state));
      while (bytes.hasRemaining()) {
        file.write(bytes);
      }
      file.force(true);
    }
    Files.move(fresh, path, StandardCopyOption.ATOMIC_MOVE);
  }

  String report() throws IOException {
    return JSON.writeValueAsString(Map.of("totals", state.minutes,
        "taken", taken, "repeats", repeats, "older_homes", olderHomes));
  }

  private static String header(ConsumerRecord<String, String> record, String name)
      throws IOException {
    var found = record.headers().lastHeader(name);
    if (found == null) {
      throw new IOException(name + " is missing");
    }
    return text(found);
  }

  private static String text(Header header) {
    return new String(header.value(), StandardCharsets.UTF_8);
  }
}
