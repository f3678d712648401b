/** LaTeX commands that mean one operator. */
// biome-ignore format: a table
export const OPERATOR_COMMANDS: Record<string, string> = {
  cdot: '*', times: '*', ast: '*', div: '/', pm: '±', mp: '∓', le: '<=', leq: '<=', leqslant: '<=', ge: '>=', geq: '>=',
  geqslant: '>=', lt: '<', gt: '>', ne: '!=', neq: '!=', approx: '~', simeq: '~', equiv: 'congruent', in: 'in',
  notin: 'notin', cup: 'union', cap: 'intersection', setminus: 'difference', backslash: 'difference', lor: 'or',
  vee: 'or', land: 'and', wedge: 'and', colon: ':', mid: '|', vert: '|', lvert: '|', rvert: '|', lbrace: 'set{', rbrace: 'set}',
  langle: '<<', rangle: '>>', lfloor: 'floor(', rfloor: 'floor)', lceil: 'ceil(', rceil: 'ceil)', lbrack: '[',
  rbrack: ']', lparen: '(', rparen: ')', circ: '°', degree: '°', prime: "'", to: '->', rightarrow: '->', implies: '=>',
  Rightarrow: '=>', iff: '=>', Leftrightarrow: '=>',
}

/** Unicode and other spellings, as LaTeX. */
// biome-ignore format: a table
export const SPELLINGS: Record<string, string> = {
  '−': '-', '–': '-', '×': '*', '·': '*', '⋅': '*', '∗': '*', '÷': '/', '±': '\\pm ', '∓': '\\mp ', '≤': '\\le ',
  '⩽': '\\le ', '≥': '\\ge ', '⩾': '\\ge ', '≠': '\\ne ', '≈': '\\approx ', '∈': '\\in ', '∪': '\\cup ', '∩': '\\cap ',
  '∞': '\\infty ', '∅': '\\emptyset ', 'π': '\\pi ', '√': '\\sqrt ', '°': '^\\circ ', '²': '^2 ', '³': '^3 ',
  '½': '\\frac12 ', '¼': '\\frac14 ', '¾': '\\frac34 ', '⟨': '\\langle ', '⟩': '\\rangle ', 'ℝ': '\\mathbb{R}',
  'θ': '\\theta ', 'α': '\\alpha ', 'β': '\\beta ', '∨': '\\lor ', '∧': '\\land ',
}

/** Commands that change nothing about what is said. */
export const IGNORED = new Set(
  (
    'left right big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr Biggl Biggr displaystyle textstyle limits nolimits quad qquad ' +
    'thinspace boldsymbol mathbf mathit mathsf mathtt ' +
    'bf rm it sf tt bm pmb newline nobreakspace enspace'
  ).split(' '),
)

/** Commands whose argument is words. */
export const TEXT = new Set(
  'text textbf textit textrm textsf texttt textnormal mbox hbox mathrm operatorname emph'.split(' '),
)

const GREEK =
  'alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi rho sigma tau upsilon phi ' +
  'varphi chi psi omega Gamma Delta Theta Lambda Xi Sigma Upsilon Phi Psi Omega ell hbar'
export const SYMBOLS = new Set(GREEK.split(' '))

/** Functions of one argument, by each of their spellings. */
// biome-ignore format: a table
export const FUNCTIONS: Record<string, string> = {
  sin: 'sin', cos: 'cos', tan: 'tan', cot: 'cot', sec: 'sec', csc: 'csc', arcsin: 'arcsin', arccos: 'arccos', arctan: 'arctan',
  asin: 'arcsin', acos: 'arccos', atan: 'arctan', sinh: 'sinh', cosh: 'cosh', tanh: 'tanh', tg: 'tan', ctg: 'cot', arctg: 'arctan',
  ln: 'ln', log: 'log', lg: 'lg', exp: 'exp', abs: 'abs', floor: 'floor', ceil: 'ceil',
}

export const CONSTANTS: Record<string, 'pi' | 'infinity'> = {
  pi: 'pi',
  infty: 'infinity',
  infinity: 'infinity',
  inf: 'infinity',
  oo: 'infinity',
}

/** Environments read as a matrix. */
export const MATRICES = new Set('matrix pmatrix bmatrix Bmatrix vmatrix Vmatrix smallmatrix array'.split(' '))

export const NAMED_SETS: Record<string, string> = {
  emptyset: 'empty',
  varnothing: 'empty',
  R: 'reals',
  Z: 'integers',
  N: 'naturals',
  Q: 'rationals',
  C: 'complexes',
}

/** Short units, rarely variables in an answer. */
export const SHORT_UNITS = new Set(
  'm cm mm km in ft yd mi g kg mg lb oz s h hr hrs ms min sec l L ml mL kw w W j J v V N Pa hz Hz pm am mph kph rad deg lbs mol'.split(
    ' ',
  ),
)

/** Words after a number that make another number or another statement of it: no units. */
export const VALUE_WORDS = new Set(
  (
    'or and not to than more less over under between from mod modulo pi times plus minus squared cubed factorial half ' +
    'halves third thirds fourth fourths fifth fifths sixth sixths eighth eighths quarter quarters tenth tenths hundredth ' +
    'hundredths thousandth thousandths hundred hundreds thousand thousands million millions billion billions trillion ' +
    'trillions dozen dozens gross score pair pairs divided by power root remainder if sqrt log ln exp sin cos tan ' +
    'inf infinity base negative positive at least most except without twice double triple choose is are was the all no none ' +
    'when where for each any every only about approximately roughly nearly almost maybe either neither nor but'
  ).split(' '),
)
