package web

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// journal keeps the records of a store in a file: a line for each, appended when it is
// received. When more than half of the file is of records that are gone, it is written
// anew. So it holds at most twice what the store holds, and slack.
//
// It is not a database, because nothing is ever asked of it: it is read once, at the
// start, and searches are in memory. If the process is killed while it writes, the last
// line is incomplete and is dropped.
type journal struct {
	path string
	file *os.File
	size int64 // of the file
	live int64 // of the lines of records that the store still has
}

// slack is what may be in the file in addition, so that a small one is not written anew
// all the time.
const slack = 4 << 20

// openJournal opens or creates a file that only its owner can read, and calls each with
// its records, oldest first. It refuses a file that is not a journal.
func openJournal(path string, each func(*Record)) (j *journal, skipped int, err error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, 0, err
	}
	j = &journal{path: path, file: file}
	if err := j.prepare(); err != nil {
		return nil, 0, errors.Join(err, file.Close())
	}
	skipped, err = j.read(each)
	if err != nil {
		return nil, 0, errors.Join(err, file.Close())
	}
	return j, skipped, nil
}

func (j *journal) prepare() error {
	info, err := j.file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a file", j.path)
	}
	if err := lock(j.file); err != nil {
		return fmt.Errorf("%s is in use by another process", j.path)
	}
	return j.file.Chmod(0o600)
}

// read reads the file, and cuts off an incomplete last line.
func (j *journal) read(each func(*Record)) (skipped int, err error) {
	in := bufio.NewReaderSize(j.file, 1<<20)
	for first := true; ; first = false {
		line, err := readLine(in)
		complete := err == nil
		if err != nil && !errors.Is(err, io.EOF) {
			return skipped, err
		}
		if len(line) == 0 {
			break
		}
		r, err := decode(line)
		switch {
		case err != nil && first:
			return 0, fmt.Errorf("%s: the first line %w", j.path, err)
		case err == nil && complete:
			r.stored = int64(len(line))
			j.live += r.stored
			each(r)
		case complete:
			skipped++
		}
		if !complete {
			break
		}
		j.size += int64(len(line))
	}
	if err := j.file.Truncate(j.size); err != nil {
		return skipped, err
	}
	_, err = j.file.Seek(j.size, io.SeekStart)
	return skipped, err
}

// readLine reads a line with its end. At the end of the file it returns what there is,
// and io.EOF.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
		if len(line) > maxLine {
			return nil, errors.New("a line is too long")
		}
	}
}

// append writes a record at the end.
func (j *journal) append(r *Record) error {
	line, err := r.encode()
	if err != nil {
		return err
	}
	n, err := j.file.Write(line)
	if err != nil {
		// A part of a line would spoil the next one.
		_, seekErr := j.file.Seek(j.size, io.SeekStart)
		return errors.Join(err, j.file.Truncate(j.size), seekErr)
	}
	r.stored = int64(n)
	j.size += r.stored
	j.live += r.stored
	return nil
}

// forget notes that the store has dropped a record.
func (j *journal) forget(r *Record) { j.live -= r.stored }

// wasteful reports whether the file should be written anew.
func (j *journal) wasteful() bool { return j.size > 2*j.live+slack }

// rewrite replaces the file by one with these records. The old one stays if that fails.
func (j *journal) rewrite(records []*Record) error {
	file, err := os.CreateTemp(filepath.Dir(j.path), filepath.Base(j.path)+".*") // for its owner alone
	if err != nil {
		return err
	}
	sizes, err := writeLines(file, records)
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	// Some systems do not replace an open file.
	err = errors.Join(j.file.Close(), os.Rename(file.Name(), j.path))
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()), j.reopen())
	}
	j.size = 0
	for i, r := range records {
		r.stored = sizes[i]
		j.size += sizes[i]
	}
	j.live = j.size
	return j.reopen()
}

// writeLines writes the lines of records and returns their lengths.
func writeLines(file *os.File, records []*Record) ([]int64, error) {
	sizes := make([]int64, len(records))
	out := bufio.NewWriterSize(file, 1<<20)
	for i, r := range records {
		line, err := r.encode()
		if err != nil {
			return nil, err
		}
		if _, err := out.Write(line); err != nil {
			return nil, err
		}
		sizes[i] = int64(len(line))
	}
	return sizes, out.Flush()
}

// reopen opens the file again, to append.
func (j *journal) reopen() (err error) {
	if j.file, err = os.OpenFile(j.path, os.O_RDWR, 0o600); err != nil {
		return err
	}
	_, err = j.file.Seek(j.size, io.SeekStart)
	return errors.Join(err, lock(j.file))
}

// clear empties the file.
func (j *journal) clear() error {
	j.size, j.live = 0, 0
	_, err := j.file.Seek(0, io.SeekStart)
	return errors.Join(err, j.file.Truncate(0))
}

func (j *journal) close() error { return j.file.Close() }
