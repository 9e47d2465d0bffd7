// Package refused keeps refused requests as files, so that their cause can be found
// later, with "anymail inspect FILE":
//
//	dir, err := refused.Open("/var/lib/example/refused", refused.Options{})
//	...
//	defer dir.Close(ctx)
//	d, err := anymail.New(secret, dir.Option())
//
// It keeps requests that did not prove authentic, that came from an address that
// is not allowed, that were too large, and whose payload is not what the endpoint
// understands. It does not keep those for which the client is not to blame, or of
// which there would be floods: overload, rate limits, wrong methods, failed
// receivers.
//
// A file holds what the ESP sent, and so addresses and contents of mail: only its
// owner can read it. It does not hold Authorization, cookies, the URL's user and
// query, or other headers that hold a secret (see [anymail.Received]). The body is
// left out if the request was refused before it was read, as those without a valid
// shared secret are.
package refused

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"regexp"
	"runtime"
	"sync"
	"time"

	"github.com/goanymail/anymail"
)

// The defaults of [Options].
const (
	DefaultFiles     = 100
	DefaultBytes     = 64 << 20
	DefaultBodyBytes = 8 << 20
)

// Options bound a [Dir]. Zero values mean the defaults.
type Options struct {
	// Files is the maximum number of files, Bytes that of bytes in them. The
	// oldest files are removed first. Default: [DefaultFiles], [DefaultBytes].
	Files int
	Bytes int64
	// BodyBytes is the size of the largest body that is kept. The file of a
	// request with a larger one has no body. At most twice as many bytes wait in
	// memory to be written. It must not be more than Bytes. Default:
	// [DefaultBodyBytes], or Bytes if that is less.
	BodyBytes int64
	// Logger is told if files cannot be written. Default: [slog.Default].
	Logger *slog.Logger
}

func (o Options) withDefaults() (Options, error) {
	if o.Files < 0 || o.Bytes < 0 || o.BodyBytes < 0 {
		return o, anymail.Misconfigured("refused", "limits must not be negative")
	}
	if o.Files == 0 {
		o.Files = DefaultFiles
	}
	if o.Bytes == 0 {
		o.Bytes = DefaultBytes
	}
	if o.BodyBytes == 0 {
		o.BodyBytes = min(DefaultBodyBytes, o.Bytes)
	}
	if o.BodyBytes > o.Bytes {
		return o, anymail.Misconfigured("refused.BodyBytes", "must not be more than Bytes")
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o, nil
}

// Dir is a directory of refused requests. Make one with [Open].
type Dir struct {
	root    *os.Root
	options Options
	waiting chan file
	written chan struct{} // closed when the writer has ended

	mu      sync.Mutex
	bytes   int64 // of the files that wait
	dropped int   // files that could not wait, since the last report
	closed  bool
}

// file is a file that waits to be written.
type file struct {
	at         time.Time
	suffix     string // of the name
	head, body []byte
}

func (f file) size() int64 { return int64(len(f.head) + len(f.body)) }

// maxWaiting is the maximum number of files that wait to be written.
const maxWaiting = 64

// Open opens a directory and makes it, with mode 0700, if it does not exist. A
// directory that others than its owner may enter is an error, and so is one that
// cannot be written to: both are [anymail.ErrConfig].
func Open(path string, options Options) (*Dir, error) {
	options, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, anymail.Misconfigured("refused", "%w", err)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, anymail.Misconfigured("refused", "%w", err)
	}
	if err := check(root); err != nil {
		return nil, anymail.Misconfigured("refused", "%w", errors.Join(err, root.Close()))
	}
	d := &Dir{root: root, options: options, waiting: make(chan file, maxWaiting), written: make(chan struct{})}
	go d.writeAll()
	return d, nil
}

// check reports what is wrong with a directory.
func check(root *os.Root) error {
	info, err := root.Stat(".")
	if err != nil {
		return err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s has mode %04o, so that others than its owner can enter it: set 0700", root.Name(), info.Mode().Perm())
	}
	const probe = ".writable"
	f, err := root.OpenFile(probe, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), root.Remove(probe))
}

// Option returns the option for [anymail.New], or for one adapter at
// [anymail.Dispatcher.Register], that keeps refused requests in d.
func (d *Dir) Option() anymail.Option {
	return anymail.WithHooks(anymail.Hooks{Rejected: d.rejected})
}

// Close waits until everything is written, or ctx is done. Requests that are
// refused later are not kept.
func (d *Dir) Close(ctx context.Context) error {
	d.mu.Lock()
	if !d.closed {
		d.closed = true
		close(d.waiting)
	}
	d.mu.Unlock()
	select {
	case <-d.written:
		return d.root.Close()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// rejected queues the file of a request. It does not wait: if there is no room, the
// request is not kept.
func (d *Dir) rejected(_ context.Context, r anymail.Rejection) {
	if !wanted(r) {
		return
	}
	f := d.compose(r)
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.closed:
		return
	case len(d.waiting) == maxWaiting, d.bytes > 0 && d.bytes+f.size() > 2*d.options.BodyBytes:
		d.dropped++
		return
	}
	f.body = append([]byte(nil), f.body...) // a hook must not keep what it is given
	d.bytes += f.size()
	d.waiting <- f // has room: only this function sends, under the lock
}

// wanted reports whether a request is one to keep.
func wanted(r anymail.Rejection) bool {
	if r.Challenged {
		return false
	}
	for _, kind := range []error{anymail.ErrUnauthenticated, anymail.ErrForbidden, anymail.ErrTooLarge, anymail.ErrUnsupportedMedia, anymail.ErrMalformed} {
		if errors.Is(r.Err, kind) {
			return true
		}
	}
	return false
}

// writeAll writes what waits until Close.
func (d *Dir) writeAll() {
	defer close(d.written)
	failing := false
	var last time.Time
	for f := range d.waiting {
		if !f.at.After(last) { // so that the names are in the order of the files
			f.at = last.Add(1)
		}
		last = f.at
		err := d.write(f)
		if err != nil && !failing {
			d.options.Logger.Warn("anymail: refused requests cannot be kept", "dir", d.root.Name(), "error", err.Error())
		}
		failing = err != nil

		d.mu.Lock()
		d.bytes -= f.size()
		dropped := 0
		if len(d.waiting) == 0 {
			dropped, d.dropped = d.dropped, 0
		}
		d.mu.Unlock()
		if dropped > 0 {
			d.options.Logger.Warn("anymail: refused requests were not kept: more came than could be written", "dir", d.root.Name(), "requests", dropped)
		}
	}
}

// write makes room and writes one file.
func (d *Dir) write(f file) error {
	if err := d.makeRoom(f.size()); err != nil {
		return err
	}
	to, name, err := d.create(f)
	if err != nil {
		return err
	}
	_, err = to.Write(f.head)
	if err == nil {
		_, err = to.Write(f.body)
	}
	if err = errors.Join(err, to.Close()); err != nil {
		return errors.Join(err, d.root.Remove(name))
	}
	return nil
}

// create creates a file under a name that no file has: a nanosecond later if the
// name is taken.
func (d *Dir) create(f file) (to io.WriteCloser, name string, err error) {
	const most = 1000 // as many names are never taken
	for range most {
		name = f.at.UTC().Format(nameLayout) + f.suffix
		to, err = d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if !errors.Is(err, fs.ErrExist) {
			break
		}
		f.at = f.at.Add(1)
	}
	return to, name, err
}

const nameLayout = "20060102T150405.000000000Z"

// ownName matches the names of a Dir's files. Other files in the directory are
// neither counted nor removed.
var ownName = regexp.MustCompile(`^\d{8}T\d{6}\.\d{9}Z-[a-z0-9_-]+\.http$`)

// makeRoom removes the oldest files until one of size bytes has room. The
// directory is listed each time, so that several processes can share it.
func (d *Dir) makeRoom(size int64) error {
	entries, err := fs.ReadDir(d.root.FS(), ".") // sorted by name, and so by time
	if err != nil {
		return err
	}
	type old struct {
		name string
		size int64
	}
	var files []old
	total := size
	for _, e := range entries {
		if !e.Type().IsRegular() || !ownName.MatchString(e.Name()) {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		files = append(files, old{e.Name(), info.Size()})
		total += info.Size()
	}
	for len(files) > 0 && (len(files) >= d.options.Files || total > d.options.Bytes) {
		if err := d.root.Remove(files[0].name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		total -= files[0].size
		files = files[1:]
	}
	return nil
}
