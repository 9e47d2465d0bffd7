package durable

import (
	"context"
	"encoding/json"
	"math/bits"
	"slices"
	"time"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"
)

// outcome is what became of an event of a job: it is done, or has failed and
// continues as a job of its own. Or what became of the rest of the job.
type outcome struct {
	run   *run
	event int
	// separate is the job of its own.
	separate *riverdriver.JobInsertFullParams
	// release makes the job available to other workers, with the events that have
	// not begun. No other outcome follows.
	release bool
	lane    *lane // has a place until the outcome is stored; nil of a release
}

const storePause = time.Second // between tries

// storeOutcomes stores outcomes, so that a crash repeats few events. It tries until
// it succeeds or the queue is closed.
func (q *Queue) storeOutcomes(outcomes []outcome) {
	for {
		ctx, cancel := context.WithTimeout(q.life, storeTimeout)
		err := q.transact(ctx, func(s session) error { return q.tryOutcomes(ctx, s, outcomes) })
		cancel()
		if err == nil {
			break
		}
		if q.life.Err() == nil {
			q.settings.logger.WarnContext(ctx, "durable: outcomes could not be stored; trying again", "events", len(outcomes), "error", err)
		}
		select {
		case <-q.life.Done():
			return
		case <-time.After(storePause):
		}
	}
	for _, o := range outcomes {
		if o.lane != nil {
			<-o.lane.unstored
		}
		o.run.storing.Done()
	}
}

func (q *Queue) tryOutcomes(ctx context.Context, s session, outcomes []outcome) error {
	var list []progress
	var released [][]any
	for _, o := range outcomes {
		if o.release {
			released = append(released, []any{o.run.id, int64(o.run.attempt)})
			continue
		}
		i := slices.IndexFunc(list, func(p progress) bool { return p.id == o.run.id })
		if i < 0 {
			i, list = len(list), append(list, progress{jobAttempt: o.run.jobAttempt})
		}
		// If an attempt was presumed dead and another has begun, only the
		// later one counts.
		if list[i].attempt < o.run.attempt {
			list[i] = progress{jobAttempt: o.run.jobAttempt}
		}
		if list[i].attempt == o.run.attempt {
			list[i].bits |= 1 << o.event
		}
	}
	_, err := q.record(ctx, s, list)
	if err != nil {
		return err
	}
	valid := func(o outcome) bool {
		return slices.ContainsFunc(list, func(p progress) bool { return p.jobAttempt == o.run.jobAttempt && p.valid })
	}
	if err := q.separate(ctx, s, slices.DeleteFunc(slices.Clone(outcomes), func(o outcome) bool { return o.separate == nil || !valid(o) })); err != nil {
		return err
	}
	_, err = q.execRows(ctx, s, q.queries.release, released)
	return err
}

// jobAttempt is one attempt of a job.
type jobAttempt struct {
	id      int64
	attempt int
}

// progress is events of a job that end.
type progress struct {
	jobAttempt
	bits  uint64
	valid bool // set by record: the attempt still has the job and these events
}

// record stores progress, and that jobs are done which have no more events. As
// opposed to [river.JobCompleteTx] it has an effect only for the attempts that
// receivers were called for. It reports whether the jobs that are done could be
// completed.
func (q *Queue) record(ctx context.Context, s statements, list []progress) (complete bool, err error) {
	if len(list) == 0 {
		return true, nil
	}
	slices.SortFunc(list, func(a, b progress) int { return int(a.id - b.id) })
	encoded := make([][]any, len(list))
	for i, p := range list {
		encoded[i] = []any{p.id, int64(p.attempt), int64(p.bits), int64(bits.OnesCount64(p.bits))} //nolint:gosec // the same bits
	}
	var done [][]any
	var batches []int64
	err = q.queryRows(ctx, s, func(scan func(...any) error) error {
		var id, batch, open int64
		if err := scan(&id, &batch, &open); err != nil {
			return err
		}
		i := slices.IndexFunc(list, func(p progress) bool { return p.id == id })
		list[i].valid = true
		if open == 0 {
			done = append(done, []any{id, int64(list[i].attempt)})
			batches = append(batches, batch)
		}
		return nil
	}, q.queries.progress, encoded)
	if err != nil || len(done) == 0 {
		return true, err
	}
	completed, err := q.execRows(ctx, s, q.queries.complete, done)
	if err != nil {
		return false, err
	}
	return int(completed) == len(done), q.removeBatches(ctx, s, batches)
}

// separate inserts the jobs of events that continue on their own.
func (q *Queue) separate(ctx context.Context, s session, outcomes []outcome) error {
	if len(outcomes) == 0 {
		return nil
	}
	batches := make([]*batch, len(outcomes))
	for i, o := range outcomes {
		batches[i] = &batch{events: [][]byte{o.run.events[o.event]}}
	}
	stored, err := q.insertBatches(ctx, s, batches)
	if err != nil {
		return err
	}
	list := make([][]any, len(outcomes))
	keys := map[int64][]byte{} // of the jobs that had the events
	for i, o := range outcomes {
		id, err := s.insertFull(ctx, o.separate)
		if err != nil {
			return err
		}
		at := o.event * hashSize
		list[i] = []any{id, stored[i], int64(1), int64(1), o.run.hashes[at : at+hashSize]}
		clear(o.run.keys[at : at+hashSize]) // belongs to the new job
		keys[o.run.id] = o.run.keys
	}
	if err := q.insertJobs(ctx, s, list); err != nil {
		return err
	}
	for id, k := range keys {
		if _, err := s.exec(ctx, "UPDATE anymail_job SET keys = $1 WHERE job_id = $2", k, id); err != nil {
			return err
		}
		if countKeys(k) > 0 {
			continue
		}
		// All events have become jobs of their own.
		for _, statement := range []string{"DELETE FROM anymail_job WHERE job_id = $1", "DELETE FROM river_job WHERE id = $1"} {
			if _, err := s.exec(ctx, statement, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// countKeys counts the events that are or were the job's own.
func countKeys(keys []byte) (n int) {
	for ; len(keys) >= hashSize; keys = keys[hashSize:] {
		if hash(keys) != (hash{}) {
			n++
		}
	}
	return n
}

// newSeparate returns a job for one event of a job after a number of attempts, of
// which failures are those that failed.
func (r *run) newSeparate(event, attempts int, failures []rivertype.AttemptError) *riverdriver.JobInsertFullParams {
	args, _ := json.Marshal(delivery{Receiver: r.receiver, Events: 1, Key: r.keyOf(event)}) // texts have no errors
	job := &riverdriver.JobInsertFullParams{
		Attempt:     attempts,
		AttemptedAt: r.row.AttemptedAt,
		CreatedAt:   &r.row.CreatedAt,
		EncodedArgs: args,
		Kind:        deliveryKind,
		MaxAttempts: r.q.settings.maxAttempts,
		Priority:    r.row.Priority,
		Queue:       r.row.Queue,
		ScheduledAt: new(time.Now()),
		State:       rivertype.JobStateAvailable,
		Tags:        []string{},
	}
	for _, failure := range failures {
		encoded, _ := json.Marshal(failure)
		job.Errors = append(job.Errors, encoded)
	}
	if attempts >= r.q.settings.maxAttempts {
		job.State, job.FinalizedAt = rivertype.JobStateDiscarded, job.ScheduledAt
	}
	return job
}
