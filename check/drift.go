package check

// judgeDrift is I7, in both directions.
func judgeDrift(b *books, f *finding) {
	for _, e := range b.foreign {
		if e.State != "archived" && e.State != "completed" {
			f.add("%s in %s is %s and names no delivery", e.ID, e.Queue, e.State)
		}
	}
	for _, d := range b.all {
		live := 0
		for _, q := range d.queued {
			switch q.State {
			case "completed":
			case "archived":
				d.judgeArchived(q, f)
			default:
				live++
				d.judgeLive(q, f)
			}
		}
		if live > 1 {
			f.against(d, "is in the queue %d times", live)
		}
		if live == 0 && d.row != nil && !final(d.row.Status) {
			f.against(d, "is %s, and delivery %d.%d is not in the queue", d.row.Status, d.id, d.row.Delivery)
		}
	}
}

func (d *dossier) judgeLive(q queued, f *finding) {
	switch {
	case d.row == nil:
		f.against(d, "delivery %s is %s in %s, and there is no such row", q.ID, q.State, q.Queue)
	case final(d.row.Status):
		f.against(d, "delivery %s is %s in %s, and the row is %s", q.ID, q.State, q.Queue, d.row.Status)
	case d.row.Delivery != q.delivery:
		f.against(d, "delivery %s is %s in %s, and the row waits for %d.%d", q.ID, q.State, q.Queue, d.id, d.row.Delivery)
	}
}

// judgeArchived allows in the archive only what failed.
func (d *dossier) judgeArchived(q queued, f *finding) {
	switch {
	case d.row == nil:
		f.against(d, "delivery %s is archived in %s, and there is no such row", q.ID, q.Queue)
	case d.row.Status != failed:
		f.against(d, "delivery %s is archived in %s, and the row is %s", q.ID, q.Queue, d.row.Status)
	case d.row.Delivery != q.delivery:
		f.against(d, "delivery %s is archived in %s, and what failed is %d.%d", q.ID, q.Queue, d.id, d.row.Delivery)
	}
}
