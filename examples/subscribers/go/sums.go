package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"
)

const adopted = "records.dossier-adopted.v1"

// errMissed: an event of a key that comes before this one has not been read.
var errMissed = errors.New("something was missed")

// sums is minutes per subject, and how far each key and partition of each city has been read. It
// stands in one file, replaced as a whole: whenever we are killed, we go on as if we had not been.
type sums struct {
	Offsets   map[string]map[int32]int64  `json:"offsets"`
	Sequences map[string]map[string]int64 `json:"sequences"`
	Epochs    map[string]int64            `json:"epochs"`
	Minutes   map[string]int64            `json:"minutes"`

	path                       string
	taken, repeats, olderHomes int
}

// event is what we read of an event's data; whatever else stands there is passed over.
type event struct {
	Moved []struct {
		Cell          *struct{} `json:"cell"`
		Before, After int64
	} `json:"moved"`
	Totals *struct {
		CreditedMinutes int64 `json:"credited_minutes"`
	} `json:"totals"`
}

func empty(path string) *sums {
	return &sums{
		Offsets: map[string]map[int32]int64{}, Sequences: map[string]map[string]int64{},
		Epochs: map[string]int64{}, Minutes: map[string]int64{}, path: path,
	}
}

func load(path string) (*sums, error) {
	found := empty(path)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return found, nil
	}
	if err == nil {
		err = json.Unmarshal(text, found)
	}
	return found, err
}

func (s *sums) take(record *kgo.Record) error {
	subject := string(record.Key)
	sequence, err := number(record, "ce_sequence")
	if err != nil {
		return err
	}
	if sequence == 0 {
		return errors.New("ce_sequence is missing")
	}
	epoch, err := number(record, "ce_custodyepoch")
	if err != nil {
		return err
	}
	put(s.Offsets, record.Topic, record.Partition, record.Offset+1)

	// 1. Pass repeats: events come at least once, and count once.
	last := s.Sequences[record.Topic][subject]
	if sequence <= last {
		s.repeats++
		return nil
	}
	// A key's numbers begin at 1 and have no gaps.
	if sequence > last+1 {
		return fmt.Errorf("sequence %d follows %d, %w", sequence, last, errMissed)
	}
	put(s.Sequences, record.Topic, subject, sequence)

	// 2. Pass older homes: this city no longer held the dossier when it said so.
	if epoch != 0 {
		if epoch < s.Epochs[subject] {
			s.olderHomes++
			return nil
		}
		s.Epochs[subject] = epoch
	}

	var data event
	if err := json.Unmarshal(record.Value, &data); err != nil {
		return err
	}
	if header(record, "ce_type") == adopted {
		// 3. An adoption replaces what there was.
		if data.Totals == nil {
			return errors.New("totals are missing")
		}
		s.Minutes[subject] = data.Totals.CreditedMinutes
	} else {
		// 4. Everything else adds what it moved; types that move nothing change nothing.
		s.Minutes[subject] += 0
		for _, moved := range data.Moved {
			if moved.Cell != nil {
				s.Minutes[subject] += moved.After - moved.Before
			}
		}
	}
	s.taken++
	return nil
}

// forget empties everything at once: it is read again from the start.
func (s *sums) forget() error {
	*s = *empty(s.path)
	return s.save()
}

// save writes a new file, makes it durable and puts it in the place of the old one.
func (s *sums) save() error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(s.path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(s.path+".new", s.path)
}

func (s *sums) print() error {
	text, err := json.Marshal(map[string]any{
		"totals": s.Minutes, "taken": s.taken, "repeats": s.repeats, "older_homes": s.olderHomes,
	})
	fmt.Println(string(text))
	return err
}

func header(record *kgo.Record, name string) string {
	for _, one := range record.Headers {
		if one.Key == name {
			return string(one.Value)
		}
	}
	return ""
}

// number is a header's positive whole number; 0 where the header is absent.
func number(record *kgo.Record, name string) (int64, error) {
	text := header(record, name)
	if text == "" {
		return 0, nil
	}
	value, err := strconv.ParseInt(text, 10, 64)
	if err != nil || value < 1 {
		return 0, fmt.Errorf("%s is no positive whole number", name)
	}
	return value, nil
}

func put[K, L comparable](table map[K]map[L]int64, outer K, inner L, value int64) {
	if table[outer] == nil {
		table[outer] = map[L]int64{}
	}
	table[outer][inner] = value
}
