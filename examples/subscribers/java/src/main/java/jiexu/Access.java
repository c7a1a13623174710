package jiexu;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.CommonClientConfigs;
import org.apache.kafka.common.config.SaslConfigs;
import org.apache.kafka.common.config.SslConfigs;

/**
 * How a city's brokers let us in: KAFKA_SECURITY, KAFKA_USERNAME, KAFKA_PASSWORD_FILE and KAFKA_CA
 * of the environment; what is one city's alone with its code, KAFKA_CA_510100. In plain without.
 */
final class Access {
  private static final List<String> SECURITY =
      List.of("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL");
  private static final String SCRAM =
      "org.apache.kafka.common.security.scram.ScramLoginModule required username=%s password=%s;";

  private Access() {
  }

  /** The settings of Kafka's client that this city asks for. */
  static Map<String, Object> of(String code) throws IOException {
    var security = told(code, "KAFKA_SECURITY", "PLAINTEXT");
    if (!SECURITY.contains(security)) {
      throw new IllegalArgumentException(
          "KAFKA_SECURITY is none of " + String.join(", ", SECURITY));
    }
    Map<String, Object> settings = new HashMap<>();
    settings.put(CommonClientConfigs.SECURITY_PROTOCOL_CONFIG, security);
    var ca = told(code, "KAFKA_CA", "");
    if (security.endsWith("SSL") && !ca.isEmpty()) { // without: the system's
      settings.put(SslConfigs.SSL_TRUSTSTORE_TYPE_CONFIG, "PEM");
      settings.put(SslConfigs.SSL_TRUSTSTORE_LOCATION_CONFIG, ca);
    }
    if (security.startsWith("SASL_")) {
      var username = told(code, "KAFKA_USERNAME", null);
      var password = Files.readString(Path.of(told(code, "KAFKA_PASSWORD_FILE", null))).strip();
      settings.put(SaslConfigs.SASL_MECHANISM, "SCRAM-SHA-512");
      settings.put(SaslConfigs.SASL_JAAS_CONFIG, SCRAM.formatted(quoted(username), quoted(password)));
    }
    return settings;
  }

  private static String told(String code, String name, String otherwise) {
    for (var each : List.of(name + "_" + code, name)) {
      var value = System.getenv(each);
      if (value != null && !value.isEmpty()) {
        return value;
      }
    }
    if (otherwise == null) {
      throw new IllegalArgumentException(name + " is missing for city " + code);
    }
    return otherwise;
  }

  private static String quoted(String text) {
    return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
  }
}
