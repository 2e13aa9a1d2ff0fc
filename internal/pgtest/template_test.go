package pgtest

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
)

// ownTemplates are apart from those that other tests are copying, and are swept
// like a test's database should this process be killed.
func ownTemplates(t *testing.T, admin *pgx.Conn) templates {
	t.Helper()
	own := templates(newName() + "_")
	t.Cleanup(func() {
		for _, name := range own.list(t, admin) {
			if err := drop(context.Background(), admin, name); err != nil {
				t.Error(err)
			}
		}
	})
	return own
}

func (ts templates) list(t *testing.T, admin *pgx.Conn) []string {
	t.Helper()
	rows, err := admin.Query(context.Background(), `SELECT datname::text FROM pg_database WHERE starts_with(datname, $1) ORDER BY oid`, string(ts))
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func admin(t *testing.T) *pgx.Conn {
	t.Helper()
	conn := connect(t)
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func fill(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, `CREATE EXTENSION age; CREATE TABLE filled AS SELECT 7 AS id`)
	return err
}

// Tests of many packages begin at once.
func TestATemplateIsFilledOnceAndItsCopiesAreApart(t *testing.T) {
	own := ownTemplates(t, admin(t))
	var filled atomic.Int32
	t.Run("copies", func(t *testing.T) {
		for range 4 {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				conn := open(t, database(t, func(ctx context.Context, admin *pgx.Conn, name string) error {
					return own.copy(ctx, admin, name, "seven", func(ctx context.Context, url string) error {
						filled.Add(1)
						return fill(ctx, url)
					})
				}))
				run(t, conn, `INSERT INTO filled VALUES (8)`)
				if got := value[int](t, conn, `SELECT sum(id)::int FROM filled`); got != 15 {
					t.Errorf("the rows in a copy add up to %d, want 7 and 8", got)
				}
				run(t, conn, `LOAD 'age'; SET search_path = ag_catalog; SELECT create_graph('graph')`)
			})
		}
	})
	if filled.Load() != 1 {
		t.Errorf("filled %d times, want once", filled.Load())
	}
}

func TestTheNewestTemplatesAreKept(t *testing.T) {
	admin := admin(t)
	own := ownTemplates(t, admin)
	var want []string
	for _, content := range []string{"first", "second", "third"} {
		database(t, func(ctx context.Context, admin *pgx.Conn, name string) error {
			return own.copy(ctx, admin, name, content, fill)
		})
		name, err := own.name(t.Context(), admin, content)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, name)
	}
	if got := own.list(t, admin); !slices.Equal(got, want[1:]) {
		t.Errorf("templates %q are left, want %q", got, want[1:])
	}
}

func TestWhatCannotBeFilledLeavesNothing(t *testing.T) {
	admin := admin(t)
	own := ownTemplates(t, admin)
	broken := errors.New("broken")
	var made string
	err := own.copy(t.Context(), admin, newName(), "broken", func(ctx context.Context, url string) error {
		config, err := pgx.ParseConfig(url)
		made = config.Database
		return errors.Join(err, broken)
	})
	if !errors.Is(err, broken) {
		t.Errorf("copying answers %v, want %v", err, broken)
	}
	if got := own.list(t, admin); len(got) != 0 {
		t.Errorf("templates %q are left, want none", got)
	}
	if value[bool](t, admin, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, made) {
		t.Errorf("%s was not dropped", made)
	}
}

// A session that ends late is waited for.
func TestATemplateThatIsStillInUse(t *testing.T) {
	admin := admin(t)
	own := ownTemplates(t, admin)
	var used *pgx.Conn
	ending := make(chan error, 1)
	conn := open(t, database(t, func(ctx context.Context, admin *pgx.Conn, name string) error {
		return own.copy(ctx, admin, name, "used", func(ctx context.Context, url string) (err error) {
			if err := fill(ctx, url); err != nil {
				return err
			}
			if used, err = pgx.Connect(ctx, url); err != nil {
				return err
			}
			// It sleeps longer than the server waits for it, and then goes.
			go func() {
				_, err := used.Exec(ctx, `SELECT pg_sleep(6)`)
				ending <- errors.Join(err, used.Close(ctx))
			}()
			return nil
		})
	}))
	if err := <-ending; err != nil {
		t.Error(err)
	}
	if got := value[int](t, conn, `SELECT id FROM filled`); got != 7 {
		t.Errorf("%d in the copy, want 7", got)
	}
}
