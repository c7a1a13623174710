package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

var securities = []string{"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"}

// access says how the city's brokers let us in: KAFKA_SECURITY, KAFKA_USERNAME,
// KAFKA_PASSWORD_FILE and KAFKA_CA of the environment; what is one city's alone with its code,
// KAFKA_CA_510100. In plain without.
func access(code string) ([]kgo.Opt, error) {
	security := told(code, "KAFKA_SECURITY")
	if security == "" {
		security = "PLAINTEXT"
	}
	if !slices.Contains(securities, security) {
		return nil, fmt.Errorf("KAFKA_SECURITY is none of %s", strings.Join(securities, ", "))
	}
	var options []kgo.Opt
	if strings.HasSuffix(security, "SSL") {
		config := &tls.Config{MinVersion: tls.VersionTLS12}
		if ca := told(code, "KAFKA_CA"); ca != "" { // without: the system's
			pem, err := os.ReadFile(ca)
			if err != nil {
				return nil, fmt.Errorf("KAFKA_CA: %w", err)
			}
			config.RootCAs = x509.NewCertPool()
			if !config.RootCAs.AppendCertsFromPEM(pem) {
				return nil, fmt.Errorf("KAFKA_CA: %s holds no certificate in PEM", ca)
			}
		}
		options = append(options, kgo.DialTLSConfig(config))
	}
	if strings.HasPrefix(security, "SASL_") {
		username, file := told(code, "KAFKA_USERNAME"), told(code, "KAFKA_PASSWORD_FILE")
		if username == "" {
			return nil, fmt.Errorf("KAFKA_USERNAME is missing for city %s", code)
		}
		if file == "" {
			return nil, fmt.Errorf("KAFKA_PASSWORD_FILE is missing for city %s", code)
		}
		password, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("KAFKA_PASSWORD_FILE: %w", err)
		}
		auth := scram.Auth{User: username, Pass: strings.TrimSpace(string(password))}
		options = append(options, kgo.SASL(auth.AsSha512Mechanism()))
	}
	return options, nil
}

func told(code, name string) string {
	if value := os.Getenv(name + "_" + code); value != "" {
		return value
	}
	return os.Getenv(name)
}
