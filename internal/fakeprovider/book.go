package fakeprovider

import (
	"encoding/json"
	"os"
	"sync"
	"time"
)

// entry is one line of the book, in the form that package check reads.
type entry struct {
	At       time.Time `json:"at"`
	Event    string    `json:"event"`
	Provider string    `json:"provider"`
	Class    string    `json:"class"`
	Key      string    `json:"key"`
	Tag      string    `json:"tag"`
	Job      string    `json:"job"`
	Billed   bool      `json:"billed"`
	Cut      bool      `json:"cut,omitempty"`
	Pictures []string  `json:"pictures,omitempty"`
	Detail   string    `json:"detail,omitempty"`
}

// book is a file of lines. A line about money is on the disk before anybody is
// answered, so that killing the fake provider loses no bill.
type book struct {
	mu   sync.Mutex
	file *os.File
}

func openBook(path string) (*book, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &book{file: f}, nil
}

func (b *book) enter(e entry) error {
	e.At = time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if _, err := b.file.Write(append(line, '\n')); err != nil {
		return err
	}
	if !e.Billed {
		return nil
	}
	return b.file.Sync()
}

func (b *book) close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.file.Close()
}
