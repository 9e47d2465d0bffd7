package gateway

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/goanymail/anymail"
)

// What a sink gets of the content of attachments.
const (
	attachmentsInline = "inline"
	attachmentsNone   = "none"
)

// needInboundRaw reports whether a sink gets the Raw of received mail that could be
// read. It needs memory, and space in a queue.
func needInboundRaw(sinks []Sink) bool {
	return slices.ContainsFunc(sinks, func(s Sink) bool { return s.Raw == anymail.Yes && s.wants(anymail.KindInbound) })
}

// reduced returns the event as a sink gets it: ev, or a copy without what the sink
// does not want, of which the attachments may be in files of dir.
func (s *Sink) reduced(ev anymail.Event, dir *attachmentDir) (anymail.Event, error) {
	switch ev := ev.(type) {
	case *anymail.TrackingEvent:
		if s.Raw == anymail.No {
			reduced := *ev
			reduced.Raw = nil
			return &reduced, nil
		}
	case *anymail.InboundEvent:
		reduced := *ev
		if s.Raw == anymail.No || s.Raw == anymail.Unsaid && ev.Type == anymail.EventInbound {
			reduced.Raw = nil
		}
		if !s.RawMIME {
			reduced.Message.RawMIME = nil
		}
		if s.Attachments.Mode != attachmentsInline {
			list := slices.Clone(ev.Message.Attachments)
			for i := range list {
				if dir != nil && len(list[i].Content) > 0 {
					var err error
					if list[i].Ref, err = dir.store(&ev.Common, i, list[i].Content); err != nil {
						return nil, anymail.Because(anymail.ErrUnavailable, "attachments", err)
					}
				}
				list[i].Content = nil
			}
			reduced.Message.Attachments = list
		}
		return &reduced, nil
	}
	return ev, nil
}

// attachmentDir keeps the content of attachments in files that only the owner can
// read. It removes none: that is the reader's task.
type attachmentDir struct {
	root *os.Root
	max  int64

	mu      sync.Mutex
	used    int64     // bytes of all files, or more
	counted time.Time // when used was true
}

// recount is how often the files are counted at most when the directory is full.
const recount = 10 * time.Second

// openAttachments opens a directory and makes it, with mode 0700, if it does not
// exist.
func openAttachments(a Attachments) (*attachmentDir, error) {
	if err := os.MkdirAll(a.Directory, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(a.Directory)
	if err != nil {
		return nil, err
	}
	return &attachmentDir{root: root, max: int64(a.MaxBytes)}, nil
}

// store writes the content of an attachment and returns the name of its file. The
// name is the same in every attempt and has nothing of the message's. The file is
// complete, and on disk, when it has this name.
func (d *attachmentDir) store(base *anymail.Common, index int, content []byte) (string, error) {
	hash := sha256.Sum256([]byte(base.ESP + "\x00" + base.Key))
	id := hex.EncodeToString(hash[:16])
	name := path.Join(id[:2], fmt.Sprintf("%s-%d", id, index))
	if info, err := d.root.Stat(name); err == nil && info.Size() == int64(len(content)) {
		return name, nil // of an earlier attempt
	}
	if err := d.reserve(int64(len(content))); err != nil {
		return "", err
	}
	if err := d.root.MkdirAll(id[:2], 0o700); err != nil {
		return "", err
	}
	unfinished := name + "." + rand.Text()
	err := d.write(unfinished, content)
	if err == nil {
		err = d.root.Rename(unfinished, name)
	}
	if err == nil {
		err = d.sync(id[:2])
	}
	if err != nil {
		_ = d.root.Remove(unfinished)
		return "", err
	}
	return name, nil
}

func (d *attachmentDir) write(name string, content []byte) error {
	f, err := d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// sync makes the names of a directory's files durable.
func (d *attachmentDir) sync(name string) error {
	f, err := d.root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// reserve returns an error if the files would have more bytes than they may.
func (d *attachmentDir) reserve(size int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.counted.IsZero() || d.used+size > d.max && time.Since(d.counted) > recount {
		used, err := d.size()
		if err != nil {
			return err
		}
		d.used, d.counted = used, time.Now()
	}
	if d.used+size > d.max {
		return fmt.Errorf("the directory would have more than %d bytes", d.max)
	}
	d.used += size
	return nil
}

// size returns the bytes of all files. A reader may remove files meanwhile.
func (d *attachmentDir) size() (total int64, err error) {
	err = fs.WalkDir(d.root.FS(), ".", func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			var info fs.FileInfo
			if info, err = entry.Info(); err == nil {
				total += info.Size()
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	return total, err
}

// Check tries to write a file.
func (d *attachmentDir) Check() error {
	probe := ".probe-" + rand.Text()
	err := d.write(probe, nil)
	return errors.Join(err, d.root.Remove(probe))
}

func (d *attachmentDir) Close() error { return d.root.Close() }
