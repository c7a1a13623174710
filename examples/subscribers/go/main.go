// How many minutes has each volunteer served, over several cities? By the rule of docs/sums.md.
//
//	subscriber -city 500000=127.0.0.1:9092 -city 510100=127.0.0.1:9192 -state sums.json -until-end
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	topicName = "records.dossiers.v1"
	pollTime  = 500 * time.Millisecond
	askTime   = 10 * time.Second
)

// city is the dossiers of one city, read from where we stopped.
type city struct {
	code, bootstrap string
	client          *kgo.Client
	next, ends      map[int32]int64
}

func (c *city) topic() string { return c.code + "." + topicName }

// open finds where to go on, and the end that stands now.
func (c *city) open(sums *sums, replay bool) error {
	options, err := access(c.code)
	if err != nil {
		return err
	}
	options = append(options, kgo.SeedBrokers(strings.Split(c.bootstrap, ",")...))
	asking, err := kgo.NewClient(options...)
	if err != nil {
		return err
	}
	defer asking.Close()
	limit, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	admin := kadm.NewClient(asking)
	lows, err := listed(admin.ListStartOffsets(limit, c.topic()))
	if err != nil {
		return err
	}
	if c.ends, err = listed(admin.ListEndOffsets(limit, c.topic())); err != nil {
		return err
	}
	c.next = lows
	from := map[int32]kgo.Offset{}
	for part, low := range lows {
		stored := sums.Offsets[c.topic()][part]
		if stored < low {
			return fmt.Errorf("%s[%d] begins at %d, we have read to %d: what stood between was cut, "+
				"the totals cannot be known", c.topic(), part, low, stored)
		}
		// Beyond the end: the topic was made anew. Sequences pass what we have counted.
		if !replay && stored <= c.ends[part] {
			c.next[part] = stored
		}
		from[part] = kgo.NewOffset().At(c.next[part])
	}
	c.client, err = kgo.NewClient(append(options,
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{c.topic(): from}))...)
	return err
}

func listed(offsets kadm.ListedOffsets, err error) (map[int32]int64, error) {
	if err == nil {
		err = offsets.Error()
	}
	found := map[int32]int64{}
	offsets.Each(func(one kadm.ListedOffset) { found[one.Partition] = one.Offset })
	return found, err
}

// read counts what is there now; it waits half a second at most.
func (c *city) read(sums *sums) (int, error) {
	limit, cancel := context.WithTimeout(context.Background(), pollTime)
	defer cancel()
	fetches := c.client.PollFetches(limit)
	for _, fault := range fetches.Errors() {
		if !errors.Is(fault.Err, context.DeadlineExceeded) {
			return 0, fault.Err
		}
	}
	records := fetches.Records()
	for _, record := range records {
		if err := sums.take(record); err != nil {
			// It is not skipped: that would be a silent loss.
			return 0, fmt.Errorf("%s[%d]@%d: %w", record.Topic, record.Partition, record.Offset, err)
		}
		c.next[record.Partition] = record.Offset + 1
	}
	return len(records), nil
}

func (c *city) atEnd() bool {
	for part, end := range c.ends {
		if c.next[part] < end {
			return false
		}
	}
	return true
}

func run() error {
	var cities []*city
	flag.Func("city", "`CODE=HOST:PORT` of a city and its brokers; repeat it", func(text string) error {
		code, bootstrap, found := strings.Cut(text, "=")
		if !found || code == "" || bootstrap == "" {
			return errors.New("not CODE=HOST:PORT")
		}
		cities = append(cities, &city{code: code, bootstrap: bootstrap})
		return nil
	})
	state := flag.String("state", "", "`FILE` with sums and offsets; made when missing")
	untilEnd := flag.Bool("until-end", false, "print the totals and stop")
	replay := flag.Bool("replay", false, "read everything again")
	flag.Parse()
	if len(cities) == 0 || *state == "" || flag.NArg() > 0 {
		return errors.New("-city and -state are needed; -h says more")
	}
	sums, err := load(*state)
	if err != nil {
		return err
	}
	err = follow(cities, sums, *untilEnd, *replay, false)
	for errors.Is(err, errMissed) {
		fmt.Fprintf(os.Stderr, "subscriber: %v: reading again from the start\n", err)
		if err = sums.forget(); err == nil {
			err = follow(cities, sums, *untilEnd, false, true)
		}
	}
	return err
}

// follow reads the cities from where we stopped; again says that this is the start because
// something was missed.
func follow(cities []*city, sums *sums, untilEnd, replay, again bool) error {
	for _, c := range cities {
		if err := c.open(sums, replay); err != nil {
			return fmt.Errorf("city %s at %s: %w", c.code, c.bootstrap, err)
		}
		defer c.client.Close()
	}
	for news := true; ; {
		if allAtEnd(cities) {
			if untilEnd {
				return sums.print()
			}
			again = false
		}
		came := 0
		for _, c := range cities {
			count, err := c.read(sums)
			if again && errors.Is(err, errMissed) {
				return fmt.Errorf("%v in the log itself: the totals cannot be known", err)
			}
			if err != nil {
				return fmt.Errorf("city %s: %w", c.code, err)
			}
			came += count
		}
		if came > 0 {
			if err := sums.save(); err != nil {
				return err
			}
		} else if news && !untilEnd {
			if err := sums.print(); err != nil {
				return err
			}
		}
		news = came > 0
	}
}

func allAtEnd(cities []*city) bool {
	for _, c := range cities {
		if !c.atEnd() {
			return false
		}
	}
	return true
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "subscriber:", err)
		os.Exit(1)
	}
}
