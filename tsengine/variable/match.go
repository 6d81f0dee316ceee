package variable

// matcher finds the longest of many words at a place of a text, however many there are. It is a radix tree: a word more
// costs its length. The zero value has no words.
type matcher struct {
	next [256]*branch // by first byte, because nearly every place of a text ends here
	some bool
}

// branch is a piece of words and what may follow it.
type branch struct {
	piece string // never empty
	word  bool   // a word ends here
	next  map[byte]*branch
}

// add takes a word in, which is not empty.
func (m *matcher) add(word string) {
	m.some = true
	at := m.next[word[0]]
	if at == nil {
		m.next[word[0]] = &branch{piece: word, word: true}
		return
	}
	for {
		same := 0
		for same < len(at.piece) && same < len(word) && at.piece[same] == word[same] {
			same++
		}
		if same < len(at.piece) { // the word leaves it in the middle
			rest := &branch{piece: at.piece[same:], word: at.word, next: at.next}
			at.piece, at.word, at.next = at.piece[:same], false, map[byte]*branch{rest.piece[0]: rest}
		}
		if word = word[same:]; word == "" {
			at.word = true
			return
		}
		following := at.next[word[0]]
		if following == nil {
			if at.next == nil {
				at.next = map[byte]*branch{}
			}
			at.next[word[0]] = &branch{piece: word, word: true}
			return
		}
		at = following
	}
}

// longest is the length of the longest word that text begins with, 0 when there is none.
func (m *matcher) longest(text string) int {
	found, done := 0, 0
	if text == "" {
		return 0
	}
	for at := m.next[text[0]]; at != nil; {
		if len(text)-done < len(at.piece) || text[done:done+len(at.piece)] != at.piece {
			break
		}
		done += len(at.piece)
		if at.word {
			found = done
		}
		if done == len(text) {
			break
		}
		at = at.next[text[done]]
	}
	return found
}

// in says whether a word stands anywhere in text.
func (m *matcher) in(text string) bool {
	if !m.some {
		return false
	}
	for i := range len(text) {
		if m.next[text[i]] != nil && m.longest(text[i:]) > 0 {
			return true
		}
	}
	return false
}
