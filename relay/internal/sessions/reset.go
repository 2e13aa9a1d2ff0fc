package sessions

// Reset closes all sessions: probes come again, and list what they have.
func (t *Table) Reset() {
	t.mail.post(func() {
		for _, p := range t.byIndex {
			t.close(p)
		}
	})
}
