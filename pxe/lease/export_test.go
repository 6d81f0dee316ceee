package lease

// AppendFile lets tests stand between the log and its file.
type AppendFile = appendFile

// Wrap puts what wrap makes of the log's file in its place.
func (t *Table) Wrap(wrap func(AppendFile) AppendFile) {
	t.log.disk.Lock()
	defer t.log.disk.Unlock()
	t.log.file = wrap(t.log.file)
}
